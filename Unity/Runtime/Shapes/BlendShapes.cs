using UnityEngine;

namespace OpenSee
{
    /// <summary>The blend shapes of one mesh, and which of the shapes that come belong to them.</summary>
    internal sealed class BlendShapes
    {
        string[] received;
        int[] shapes;
        Mesh mesh;

        /// <summary>Whose they are; null for none.</summary>
        public SkinnedMeshRenderer Renderer;

        /// <summary>Sets those of which there are values; the others stay as they are.</summary>
        /// <param name="frame">Values by name.</param>
        /// <param name="full">The weight for the value 1.</param>
        public void Set(ShapeFrame frame, float full)
        {
            if (Renderer == null || Renderer.sharedMesh == null) return;
            if (mesh != Renderer.sharedMesh || received != frame.Names)
            {
                mesh = Renderer.sharedMesh;
                received = frame.Names;
                shapes = ShapeNames.Match(received, Names(mesh));
            }
            for (int name = 0; name < shapes.Length; name++)
                if (shapes[name] >= 0) Renderer.SetBlendShapeWeight(shapes[name], frame.Values[name] * full);
        }

        static string[] Names(Mesh mesh)
        {
            var names = new string[mesh.blendShapeCount];
            for (int shape = 0; shape < names.Length; shape++) names[shape] = mesh.GetBlendShapeName(shape);
            return names;
        }
    }
}
