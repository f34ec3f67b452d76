using System;
using System.Threading;
using OpenSee;
using UnityEngine;

/// Prints the port, then what OpenSee has after every packet, until a line comes on standard input: `last` asks once
/// more for what it has, anything else ends it.
public static class ReceiveDriver
{
    public static int Run(string[] arguments)
    {
        var openSee = new GameObject("tracking").AddComponent<OpenSee.OpenSee>();
        openSee.listenPort = 0;
        bool ended = false;
        var input = new Thread(() => { Console.ReadLine(); Volatile.Write(ref ended, true); }) { IsBackground = true };
        int seen = 0;
        Scene.Frame(0.001f);
        Json.Print(new { port = openSee.listenPort, listening = openSee.listening });
        input.Start();
        while (!Volatile.Read(ref ended))
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
        Json.Print(new { packets = openSee.receivedPackets, listening = openSee.listening });
        return 0;
    }
}
