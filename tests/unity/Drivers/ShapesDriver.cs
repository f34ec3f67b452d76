using System.Collections;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Threading;
using OpenSee;
using UnityEngine;

/// OpenSeeShapes above two meshes whose shapes' names are the two arguments (separated by commas). Prints the port, then
/// what there is after every frame of shapes. On standard input: `shapes NAME…` for their values by name, `pass SECONDS`
/// lets time go by, `quit` ends it; all print what there is.
public static class ShapesDriver
{
    static OpenSeeShapes shapes;
    static readonly List<SkinnedMeshRenderer> meshes = new List<SkinnedMeshRenderer>();

    public static int Run(string[] arguments)
    {
        var avatar = new GameObject("avatar");
        foreach (string names in arguments)
        {
            var part = new GameObject("part");
            part.transform.parent = avatar.transform;
            var mesh = part.AddComponent<SkinnedMeshRenderer>();
            mesh.sharedMesh = new Mesh();
            mesh.sharedMesh.shapes.AddRange(names.Split(','));
            meshes.Add(mesh);
        }
        avatar.SetActive(false);
        shapes = avatar.AddComponent<OpenSeeShapes>();
        shapes.listenPort = 0;
        avatar.SetActive(true);
        Json.Print(new { port = shapes.listenPort, shapes.listening });

        Input.Listen();
        for (int seen = 0; ;)
        {
            Scene.Frame(0);
            if (shapes.receivedFrames != seen) Print(null);
            seen = shapes.receivedFrames;
            string line = Input.Next();
            if (line == "quit") break;
            if (line == null)
            {
                Thread.Sleep(1);
                continue;
            }
            string[] words = line.Split(' ');
            if (words[0] == "pass") Scene.Frame(float.Parse(words[1], CultureInfo.InvariantCulture));
            Print(words[0] == "shapes" ? words.Skip(1) : null);
        }
        shapes.enabled = false;
        Print(null);
        return 0;
    }

    static void Print(IEnumerable<string> wanted)
    {
        var values = new Hashtable();
        foreach (string name in wanted ?? new string[0])
        {
            float value;
            values[name] = shapes.TryGetShape(name, out value) ? (object)value : null;
        }
        Json.Print(new
        {
            frames = shapes.receivedFrames,
            shapes.tracking,
            shapes.listening,
            arkit = shapes.GetArkitShapes(),
            weights = meshes.Select(Weights).ToArray(),
            values,
        });
    }

    static float[] Weights(SkinnedMeshRenderer mesh)
    {
        return Enumerable.Range(0, mesh.sharedMesh.blendShapeCount).Select(mesh.GetBlendShapeWeight).ToArray();
    }
}
