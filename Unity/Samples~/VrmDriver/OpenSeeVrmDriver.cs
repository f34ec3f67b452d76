using UnityEngine;
using VRM;

/// <summary>
/// Blinks, mouth and gaze of a VRM 0 avatar. Put it on the avatar, beside UniVRM's VRMBlendShapeProxy; its head follows
/// with an OpenSeeIKTarget. For avatars with the 52 shapes take OpenSeeShapes instead.
/// </summary>
public class OpenSeeVrmDriver : MonoBehaviour
{
    [Tooltip("What receives; none: the first one there is.")]
    public OpenSee.OpenSee openSee;
    [Tooltip("The face's number.")]
    public int faceId;
    [Tooltip("The avatar's shapes; none: those of this object.")]
    public VRMBlendShapeProxy proxy;
    [Tooltip("The avatar's eye bones, where it has some.")]
    public Transform rightEye, leftEye;
    [Tooltip("Move to the other side, as a mirror does; the same as the head's OpenSeeIKTarget.")]
    public bool mirror;
    [Tooltip("An eye that is open by less is shut.")]
    [Range(0, 1)] public float shutBelow = 0.3f;
    [Tooltip("An eye that is open by more is open.")]
    [Range(0, 1)] public float openAbove = 0.8f;

    static readonly Quaternion facing = new Quaternion(0, 1, 0, 0);

    Quaternion rightRest, leftRest;

    void Start()
    {
        if (openSee == null) openSee = OpenSee.OpenSee.Any();
        if (proxy == null) proxy = GetComponent<VRMBlendShapeProxy>();
        if (rightEye != null) rightRest = rightEye.localRotation;
        if (leftEye != null) leftRest = leftEye.localRotation;
    }

    void Update()
    {
        OpenSee.OpenSee.OpenSeeData data = openSee == null ? null : openSee.GetOpenSeeData(faceId);
        if (data == null || proxy == null) return;
        float right = mirror ? data.leftEyeOpen : data.rightEyeOpen, left = mirror ? data.rightEyeOpen : data.leftEyeOpen;
        Set(BlendShapePreset.Blink_R, Shut(right));
        Set(BlendShapePreset.Blink_L, Shut(left));
        float open = Mathf.Clamp01(data.features.MouthOpen);
        float wide = Mathf.Clamp01(data.features.MouthWide), narrow = Mathf.Clamp01(-data.features.MouthWide);
        Set(BlendShapePreset.A, open * (1 - narrow));
        Set(BlendShapePreset.O, open * narrow);
        Set(BlendShapePreset.I, (1 - open) * wide);
        Set(BlendShapePreset.U, (1 - open) * narrow);
        Look(rightEye, rightRest, mirror ? data.leftGaze : data.rightGaze);
        Look(leftEye, leftRest, mirror ? data.rightGaze : data.leftGaze);
    }

    float Shut(float open) { return 1 - Mathf.InverseLerp(shutBelow, openAbove, open); }

    void Set(BlendShapePreset shape, float value)
    {
        proxy.ImmediatelySetValue(BlendShapeKey.CreateFromPreset(shape), value);
    }

    void Look(Transform eye, Quaternion rest, Quaternion gaze)
    {
        if (eye == null) return;
        Quaternion turn = facing * gaze * Quaternion.Inverse(facing);
        if (mirror) turn = new Quaternion(turn.x, -turn.y, -turn.z, turn.w);
        eye.localRotation = turn * rest;
    }
}
