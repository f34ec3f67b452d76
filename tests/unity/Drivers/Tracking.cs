using UnityEngine;

/// An OpenSee that has never listened anywhere but at its own port: at the usual one somebody else's tracker may send.
public static class Tracking
{
    public static OpenSee.OpenSee At(int port) { return At(port, new GameObject("tracking")); }

    public static OpenSee.OpenSee At(int port, GameObject thing)
    {
        thing.SetActive(false);
        var openSee = thing.AddComponent<OpenSee.OpenSee>();
        openSee.listenPort = port;
        thing.SetActive(true);
        return openSee;
    }
}
