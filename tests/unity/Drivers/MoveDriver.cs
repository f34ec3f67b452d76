using System.Globalization;
using System.Linq;
using System.Threading;
using UnityEngine;

/// An IK target, and what follows it, in time that the test makes. `KIND FIELD=VALUE…`: KIND is what follows the target
/// (none, even, kinematic). On standard input: `N SECONDS` takes so many frames, `+N SECONDS` waits for a packet first;
/// after each frame the pose of target and follower is printed. `FIELD=VALUE` sets the target's.
public static class MoveDriver
{
    public static int Run(string[] arguments)
    {
        OpenSee.OpenSee openSee = Tracking.At(0);
        var target = new GameObject("target").AddComponent<OpenSee.OpenSeeIKTarget>();
        target.openSee = openSee;
        Fields.Set(target, arguments.Skip(1).ToArray());
        Transform follower = Follower(arguments[0], target.transform);
        Scene.Frame(0);
        Json.Print(new { port = openSee.listenPort });
        Input.Listen();
        for (string line; (line = Input.Next()) != "quit";)
        {
            if (line == null) Thread.Sleep(0);
            else if (line.Contains("=")) Fields.Set(target, new[] { line });
            else Move(line, openSee, target, follower);
        }
        return 0;
    }

    static Transform Follower(string kind, Transform target)
    {
        var follower = new GameObject("follower");
        if (kind == "even") follower.AddComponent<OpenSee.OpenSeeInterpolation>().target = target;
        if (kind == "kinematic") follower.AddComponent<OpenSee.OpenSeeKinematicInterpolation>().target = target;
        return follower.transform;
    }

    static void Move(string line, OpenSee.OpenSee openSee, OpenSee.OpenSeeIKTarget target, Transform follower)
    {
        string[] words = line.TrimStart('+').Split(' ');
        int frames = int.Parse(words[0]), before = openSee.receivedPackets;
        float seconds = float.Parse(words[1], CultureInfo.InvariantCulture);
        for (int i = 0; i < frames; i++)
        {
            // OpenSee looks first in every frame: the one in which a packet is seen is the one that counts.
            if (i == 0 && line[0] == '+') WaitForPacket(openSee, before);
            Scene.Frame(seconds);
            Json.Print(new
            {
                Time.time, place = target.transform.localPosition, turn = target.transform.localRotation,
                followerPlace = follower.position, followerTurn = follower.rotation, target.calibrate,
            });
        }
    }

    static void WaitForPacket(OpenSee.OpenSee openSee, int before)
    {
        while (openSee.receivedPackets == before)
        {
            Thread.Sleep(1);
            openSee.SendMessage("Update");
        }
    }
}
