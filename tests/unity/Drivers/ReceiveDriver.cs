using System.Threading;
using UnityEngine;

/// Prints the port, then what OpenSee has after every packet, until a line comes on standard input.
public static class ReceiveDriver
{
    public static int Run(string[] arguments)
    {
        OpenSee.OpenSee openSee = Tracking.At(0);
        int seen = 0;
        Scene.Frame(0.001f);
        Json.Print(new { port = openSee.listenPort, openSee.listening });
        Input.Listen();
        while (Input.Next() == null)
        {
            Scene.Frame(0.001f);
            if (openSee.receivedPackets != seen)
            {
                seen = openSee.receivedPackets;
                Json.Print(new { packets = seen, faces = openSee.trackingData });
            }
            else Thread.Sleep(1);
        }
        openSee.enabled = false;
        Json.Print(new { packets = openSee.receivedPackets, openSee.listening });
        return 0;
    }
}
