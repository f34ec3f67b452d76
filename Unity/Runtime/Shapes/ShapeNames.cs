using System;
using System.Collections.Generic;

namespace OpenSee
{
    /// <summary>
    /// Finds an avatar's blend shape for a name that was received: the very same name if there is one, else one that
    /// is spelled another way, as exporters and tools do.
    /// </summary>
    public static class ShapeNames
    {
        /// <summary>ARKit's 52 shapes in the alphabet's order; left and right are the person's own.</summary>
        public static readonly string[] Arkit =
        {
            "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekPuff",
            "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft",
            "eyeLookDownRight", "eyeLookInLeft", "eyeLookInRight", "eyeLookOutLeft", "eyeLookOutRight",
            "eyeLookUpLeft", "eyeLookUpRight", "eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight",
            "jawForward", "jawLeft", "jawOpen", "jawRight", "mouthClose", "mouthDimpleLeft", "mouthDimpleRight",
            "mouthFrownLeft", "mouthFrownRight", "mouthFunnel", "mouthLeft", "mouthLowerDownLeft",
            "mouthLowerDownRight", "mouthPressLeft", "mouthPressRight", "mouthPucker", "mouthRight", "mouthRollLower",
            "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthSmileLeft", "mouthSmileRight",
            "mouthStretchLeft", "mouthStretchRight", "mouthUpperUpLeft", "mouthUpperUpRight", "noseSneerLeft",
            "noseSneerRight", "tongueOut",
        };

        /// <summary>
        /// A name without what spellings differ in: `eyeBlinkLeft`, `EyeBlinkLeft`, `eyeBlink_L` and
        /// `Face_blendShape.EyeBlink_L` are all `eyeblinkleft`.
        /// </summary>
        public static string Plain(string name)
        {
            string plain = name.Substring(name.LastIndexOf('.') + 1).ToLowerInvariant();
            if (plain.EndsWith("_l", StringComparison.Ordinal))
                plain = plain.Substring(0, plain.Length - 2) + "left";
            else if (plain.EndsWith("_r", StringComparison.Ordinal))
                plain = plain.Substring(0, plain.Length - 2) + "right";
            return plain.Replace("_", "").Replace(" ", "");
        }

        /// <summary>The number of the blend shape of each name that was received, -1 where the avatar has none.</summary>
        /// <param name="received">Names that were received.</param>
        /// <param name="meshNames">The names of a mesh's blend shapes, in their order.</param>
        public static int[] Match(IReadOnlyList<string> received, IReadOnlyList<string> meshNames)
        {
            var exact = new Dictionary<string, int>(StringComparer.Ordinal);
            var plain = new Dictionary<string, int>(StringComparer.Ordinal);
            for (int shape = meshNames.Count - 1; shape >= 0; shape--) // so that the first of two alike wins
            {
                exact[meshNames[shape]] = shape;
                plain[Plain(meshNames[shape])] = shape;
            }
            var matched = new int[received.Count];
            for (int name = 0; name < matched.Length; name++)
                if (!exact.TryGetValue(received[name], out matched[name])
                    && !plain.TryGetValue(Plain(received[name]), out matched[name]))
                    matched[name] = -1;
            return matched;
        }
    }
}
