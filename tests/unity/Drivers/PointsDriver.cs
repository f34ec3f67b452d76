using System.Linq;
using UnityEngine;

/// What OpenSeeShowPoints draws. On standard input: `+` waits for a packet and takes a frame, `SECONDS` takes a frame
/// that is so long, FIELD=VALUE sets a field and takes a short frame; each prints what is to be seen.
public static class PointsDriver
{
    public static int Run(string[] arguments)
    {
        OpenSee.OpenSee openSee = Tracking.At(0);
        var thing = new GameObject("points");
        var points = thing.AddComponent<OpenSee.OpenSeeShowPoints>();  // finds openSee itself
        points.material = new Material(Shader.Find("Standard"));
        Scene.Frame(0);
        Json.Print(new { port = openSee.listenPort, points.transform.childCount });
        int packets = 0;
        Input.Listen();
        for (string line; (line = Input.Next()) != "quit";)
        {
            if (line == null) { System.Threading.Thread.Sleep(1); continue; }
            float seconds = 0.01f;
            if (line == "+") while (openSee.receivedPackets == packets) { System.Threading.Thread.Sleep(1); openSee.SendMessage("Update"); }
            else if (line.Contains("=")) Fields.Set(points, new[] { line });
            else seconds = float.Parse(line, System.Globalization.CultureInfo.InvariantCulture);
            packets = openSee.receivedPackets;
            Scene.Frame(seconds);
            Json.Print(Seen(thing.transform));
        }
        Object.Destroy(points);
        Json.Print(new { left = thing.transform.childCount });
        return 0;
    }

    static object Seen(Transform parent)
    {
        var shown = Enumerable.Range(0, parent.childCount).Select(parent.GetChild)
            .Where(child => child.gameObject.GetComponent<Renderer>().enabled).ToArray();
        return new
        {
            spheres = shown.Where(child => child.name.StartsWith("Point")).Select(child => new
            {
                number = int.Parse(child.name.Substring(6)), place = child.localPosition,
                child.gameObject.GetComponent<Renderer>().material.color,
                solid = child.gameObject.GetComponent<Collider>() != null,
                shadows = child.gameObject.GetComponent<Renderer>().receiveShadows,
            }),
            lines = shown.Select(child => child.gameObject.GetComponent<LineRenderer>()).Where(line => line != null)
                .Select(line => new
                {
                    line.name, width = line.startWidth,
                    points = Enumerable.Range(0, line.positionCount).Select(line.GetPosition),
                }),
        };
    }
}
