using System.Linq;
using System.Threading;
using UnityEngine;

/// A launcher that does what standard input says: `list`, `benchmark N`, `set OPTION VALUE`, `unset OPTION`, `start`,
/// `stop`, `state`, `off` (the component), FIELD=VALUE; each answers with a line.
public static class LaunchDriver
{
    public static int Run(string[] arguments)
    {
        var thing = new GameObject("tracking");
        OpenSee.OpenSee openSee = Tracking.At(0, thing);
        var launcher = thing.AddComponent<OpenSee.OpenSeeLauncher>();
        launcher.openSeeTarget = openSee;
        Fields.Set(launcher, arguments);
        Input.Listen();
        string line;
        while ((line = Input.Next()) != "quit")
        {
            Scene.Frame(0.01f);
            if (line == null) Thread.Sleep(1);
            else Json.Print(Answer(line, openSee, launcher));
        }
        return 0;
    }

    static object Answer(string line, OpenSee.OpenSee openSee, OpenSee.OpenSeeLauncher launcher)
    {
        string[] words = line.Split(' ');
        switch (words[0])
        {
            case "list": return launcher.ListCameras();
            case "benchmark": return launcher.Benchmark(int.Parse(words[1]));
            case "set": launcher.SetOption(words[1], words.Length > 2 ? words[2] : null); break;
            case "unset": launcher.UnsetOption(words[1]); break;
            case "start": return launcher.StartTracker();
            case "stop": launcher.StopTracker(); break;
            case "off": launcher.enabled = false; break;
            case "state": break;
            default: Fields.Set(launcher, new[] { line }); break;
        }
        lock (Debug.logs) lock (Debug.warnings)
            return new
            {
                alive = launcher.trackerAlive, port = openSee.listenPort, packets = openSee.receivedPackets,
                options = launcher.commandlineOptions.Concat(launcher.extraOptions),
                logs = Debug.logs.ToArray(), warnings = Debug.warnings.ToArray(), errors = Debug.errors.ToArray(),
            };
    }
}
