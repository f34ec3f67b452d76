// A stand-in for what the VRM sample uses of UniVRM: the shapes of a VRM 0 avatar, by preset.
using System.Collections.Generic;
using UnityEngine;

namespace VRM
{
    public enum BlendShapePreset { Unknown, Neutral, A, I, U, E, O, Blink, Joy, Angry, Sorrow, Fun, LookUp, LookDown, LookLeft, LookRight, Blink_L, Blink_R }

    public struct BlendShapeKey
    {
        public readonly BlendShapePreset Preset;
        BlendShapeKey(BlendShapePreset preset) { Preset = preset; }
        public static BlendShapeKey CreateFromPreset(BlendShapePreset preset) { return new BlendShapeKey(preset); }
    }

    public class VRMBlendShapeProxy : MonoBehaviour
    {
        public readonly Dictionary<string, float> values = new Dictionary<string, float>();
        public void ImmediatelySetValue(BlendShapeKey key, float value) { values[key.Preset.ToString()] = value; }
    }
}
