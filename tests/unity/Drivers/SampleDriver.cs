using System.Linq;
using System.Threading;
using UnityEngine;

/// A sample in a scene of its own: `points`, `head` or `vrm`, then FIELD=VALUE. Prints the port, then, after every packet
/// and two seconds more, all objects below the sample by name; a line on standard input ends it.
public static class SampleDriver
{
    public static int Run(string[] arguments)
    {
        var thing = new GameObject("sample");
        OpenSee.OpenSee openSee = Tracking.At(0);
        Fields.Set(Added(arguments[0], thing, openSee), arguments.Skip(1).ToArray());
        Scene.Frame(0.01f);
        Json.Print(new { port = openSee.listenPort });
        Input.Listen();
        for (int seen = 0; Input.Next() == null;)
        {
            Scene.Frame(0.01f);
            if (openSee.receivedPackets == seen) { Thread.Sleep(1); continue; }
            seen = openSee.receivedPackets;
            for (int i = 0; i < 10; i++) Scene.Frame(0.03f);
            var proxy = thing.GetComponent<VRM.VRMBlendShapeProxy>();
            Json.Print(new { objects = Below(thing.transform), shapes = proxy == null ? null : proxy.values });
        }
        return 0;
    }

    static MonoBehaviour Added(string sample, GameObject thing, OpenSee.OpenSee openSee)
    {
        if (sample == "vrm") return Vrm(thing);
        if (sample == "head")
        {
            var head = thing.AddComponent<HeadFollowerSample>();
            head.openSee = openSee;
            return head;
        }
        var points = thing.AddComponent<ShowPointsSample>();
        points.openSee = openSee;
        return points;
    }

    static MonoBehaviour Vrm(GameObject thing)
    {
        thing.AddComponent<VRM.VRMBlendShapeProxy>();
        var driver = thing.AddComponent<OpenSeeVrmDriver>();
        driver.rightEye = new GameObject("right eye").transform;
        driver.leftEye = new GameObject("left eye").transform;
        foreach (Transform eye in new[] { driver.rightEye, driver.leftEye }) eye.SetParent(thing.transform, false);
        return driver;
    }

    static System.Collections.Generic.List<object> Below(Transform parent)
    {
        var all = new System.Collections.Generic.List<object>();
        for (int i = 0; i < parent.childCount; i++)
        {
            Transform child = parent.GetChild(i);
            all.Add(new { child.name, forward = child.rotation * Vector3.forward, scale = child.localScale });
            all.AddRange(Below(child));
        }
        return all;
    }
}
