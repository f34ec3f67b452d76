using OpenSee;
using UnityEngine;

/// <summary>
/// A head of spheres that moves, looks, blinks and opens its mouth as the person does, as a mirror would. Put it on an
/// empty object in a new scene, press Play and start the tracker.
/// </summary>
public class HeadFollowerSample : MonoBehaviour
{
    /// <summary>What receives; made here when there is none.</summary>
    public OpenSee.OpenSee openSee;

    static readonly Quaternion facing = new Quaternion(0, 1, 0, 0);  // half a turn about y

    Transform rightEye, leftEye, mouth;

    void Start()
    {
        if (openSee == null) openSee = gameObject.AddComponent<OpenSee.OpenSee>();
        // The head faces +z, and a new scene's camera looks the same way: turned round, before it.
        transform.position = new Vector3(0, 1, -8);
        transform.rotation = facing;
        var head = new GameObject("Head").transform;
        head.SetParent(transform, false);
        Ball(head, "Skull", Vector3.zero, new Vector3(0.8f, 1, 0.8f), new Color(0.9f, 0.75f, 0.65f));
        Ball(head, "Nose", new Vector3(0, -0.05f, 0.42f), Vector3.one * 0.12f, new Color(0.85f, 0.65f, 0.55f));
        mouth = Ball(head, "Mouth", new Vector3(0, -0.25f, 0.33f), new Vector3(0.3f, 0.02f, 0.1f), Color.red);
        rightEye = Eye(head, "Right eye", 0.16f);
        leftEye = Eye(head, "Left eye", -0.16f);
        var target = head.gameObject.AddComponent<OpenSeeIKTarget>();
        target.openSee = openSee;
        target.mirror = true;
        target.translationScale = 0.5f;
    }

    void Update()
    {
        OpenSee.OpenSee.OpenSeeData data = openSee.GetOpenSeeData(0);
        if (data == null) return;
        // In a mirror the right eye shows what the left one does.
        Look(rightEye, data.leftGaze, data.leftEyeOpen);
        Look(leftEye, data.rightGaze, data.rightEyeOpen);
        mouth.localScale = new Vector3(0.3f + 0.1f * data.features.MouthWide, 0.02f + 0.2f * data.features.MouthOpen, 0.1f);
    }

    /// The gaze is one along -z; about an axis in the mirror's plane everything turns the other way.
    static void Look(Transform eye, Quaternion gaze, float open)
    {
        Quaternion turn = facing * gaze * Quaternion.Inverse(facing);
        eye.localRotation = new Quaternion(turn.x, -turn.y, -turn.z, turn.w);
        eye.localScale = new Vector3(1, Mathf.Lerp(0.1f, 1, open), 1);
    }

    static Transform Eye(Transform head, string name, float aside)
    {
        var eye = new GameObject(name).transform;
        eye.SetParent(head, false);
        eye.localPosition = new Vector3(aside, 0.1f, 0.3f);
        Ball(eye, "White", Vector3.zero, Vector3.one * 0.2f, Color.white);
        Ball(eye, "Pupil", new Vector3(0, 0, 0.08f), Vector3.one * 0.08f, Color.blue);
        return eye;
    }

    static Transform Ball(Transform parent, string name, Vector3 place, Vector3 size, Color color)
    {
        GameObject ball = GameObject.CreatePrimitive(PrimitiveType.Sphere);
        ball.name = name;
        Destroy(ball.GetComponent<Collider>());
        ball.GetComponent<Renderer>().material.color = color;
        ball.transform.SetParent(parent, false);
        ball.transform.localPosition = place;
        ball.transform.localScale = size;
        return ball.transform;
    }
}
