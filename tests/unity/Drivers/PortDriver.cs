using System.Threading;
using UnityEngine;

/// A scene that goes through what ports go through; each step prints what holds then.
public static class PortDriver
{
    public static int Run(string[] arguments)
    {
        int taken = int.Parse(arguments[0]), free = int.Parse(arguments[1]);
        var thing = new GameObject("tracking");
        OpenSee.OpenSee openSee = Tracking.At(taken, thing);
        Step("taken", openSee);
        openSee.listenPort = free;
        Step("moved", openSee);
        OpenSee.OpenSee second = Tracking.At(free);
        Step("shared", second);
        Object.Destroy(second.gameObject);
        openSee.enabled = false;
        Step("off", openSee);
        openSee.enabled = true;
        Step("on again", openSee);
        thing.SetActive(false);
        Step("inactive", openSee);
        thing.SetActive(true);
        openSee.listenAddress = "192.0.2.1";  // kept for examples (RFC 5737): nobody's
        Step("no address", openSee);
        openSee.listenAddress = "127.0.0.1";
        Step("address again", openSee);
        Object.Destroy(thing);
        Json.Print(new { step = "destroyed", port = free, listening = false });
        Input.Listen();
        while (Input.Next() == null) Thread.Sleep(1);
        return 0;
    }

    static void Step(string name, OpenSee.OpenSee openSee)
    {
        Scene.Frame(0.01f);
        Json.Print(new { step = name, port = openSee.listenPort, openSee.listening, errors = Debug.errors.Count });
    }
}
