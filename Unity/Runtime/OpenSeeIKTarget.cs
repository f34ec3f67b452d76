using UnityEngine;

namespace OpenSee
{
    /// <summary>
    /// Moves this object as the head moves: the target for an avatar's head in inverse kinematics, or the head itself.
    /// Where it lies at the start, seen from its parent, is where a head in its neutral pose belongs; the parent faces
    /// as the avatar does, +z forward.
    /// </summary>
    [AddComponentMenu("OpenSeeFace/OpenSeeIKTarget")]
    public class OpenSeeIKTarget : MonoBehaviour
    {
        [Header("Which face")]
        [Tooltip("The component that receives; none: the first one there is.")]
        public OpenSee openSee;
        [Tooltip("The face's number.")]
        public int faceId;

        [Header("Calibration")]
        [Tooltip("Set it while the person sits neutrally: the next good pose becomes the neutral one, and it is off again.")]
        public bool calibrate = true;
        [Tooltip("Move to the other side, as a mirror does.")]
        public bool mirror;
        [Tooltip("Metres (or what the scene has) for a unit of the face model, in which the eyes are 0.63 apart.")]
        public float translationScale = 0.15f;

        [Header("Movement")]
        [Tooltip("Share of a movement that is still to come after 1/30 s. 0: none, at once.")]
        [Range(0, 0.95f)] public float smooth = 0.3f;
        [Tooltip("Move evenly between the tracker's frames, one of them behind.")]
        public bool interpolate = true;
        [Tooltip("Whoever sits differently for long is neutral again; and the head goes back when the face is lost.")]
        public bool driftBack = true;
        [Tooltip("How long about two thirds of that take while the face is there, seconds.")]
        [Min(1)] public float driftSeconds = 60;

        [Header("Outliers")]
        [Tooltip("Poses that jump by more degrees are held back.")]
        public float outlierAngle = 35;
        [Tooltip("Poses that jump further, in units of the face model, are held back.")]
        public float outlierDistance = 2;
        [Tooltip("For so many seconds; then they are believed.")]
        public float outlierSeconds = 0.4f;

        /// How long about two thirds of the way back take once the face is lost, seconds.
        const float LostDriftSeconds = 0.7f;
        /// How long the way to where the head is takes when the face is back, seconds.
        const float ResumeSeconds = 0.25f;
        const float SmoothStep = 1 / 30f;
        /// The camera sees the person from the front: its axes are the avatar's, turned about y by half a circle.
        static readonly Quaternion facing = new Quaternion(0, 1, 0, 0);

        Pose rest, neutral, wanted, shown, resumedFrom;
        PoseInterpolator interpolator;
        OutlierGate gate;
        Freshness freshness;
        float lastHeard, resumedAt;
        bool calibrated, away;

        /// <summary>The same as setting <see cref="calibrate"/>, for buttons and other scripts.</summary>
        public void Calibrate() { calibrate = true; }

        void Awake()
        {
            rest = new Pose(transform.localPosition, transform.localRotation);
            wanted = shown = Pose.identity;
        }

        void Start()
        {
            if (openSee == null) openSee = OpenSee.Any();
        }

        void Update()
        {
            float now = Time.time;
            OpenSee.OpenSeeData data = openSee == null ? null : openSee.GetOpenSeeData(faceId);
            away |= freshness.IsLost(now);
            if (freshness.IsNew(data, now) && data.got3DPoints && data.fit3DError <= openSee.maxFit3DError)
            {
                if (away) Resume(now);
                Take(data, now);
            }
            if (!calibrated) return;
            float left = smooth > 0 ? Mathf.Pow(smooth, Time.deltaTime / SmoothStep) : 0;
            Pose pose = interpolate ? interpolator.At(now) : wanted;
            pose = PoseInterpolator.Mix(resumedFrom, pose, (now - resumedAt) / ResumeSeconds);
            if (driftBack && freshness.IsLost(now))
            {
                pose = Pose.identity;
                left = Mathf.Exp(-Time.deltaTime / LostDriftSeconds);
            }
            shown = PoseInterpolator.Mix(pose, shown, left);
            transform.localPosition = rest.position + shown.position * translationScale;
            transform.localRotation = shown.rotation * rest.rotation;
        }

        /// The face is back, wherever it is now: there from what is shown, but not at once.
        void Resume(float now)
        {
            away = false;
            gate = new OutlierGate();
            interpolator = new PoseInterpolator();
            resumedFrom = shown;
            resumedAt = calibrated ? now : now - ResumeSeconds;
        }

        /// A pose has come: what it is to the neutral one, in the avatar's axes.
        void Take(OpenSee.OpenSeeData data, float now)
        {
            var pose = new Pose(data.translation, data.headRotation);
            if (!gate.Admits(pose, now, outlierAngle, outlierDistance, outlierSeconds)) return;
            if (calibrate) neutral = pose;
            else if (driftBack) Drift(pose, now - lastHeard);
            calibrated = true;
            calibrate = false;
            lastHeard = now;
            wanted = ToAvatar(pose);
            interpolator.Add(wanted, now);
        }

        void Drift(Pose pose, float seconds)
        {
            // A face that was away has not sat differently all the time.
            float share = 1 - Mathf.Exp(-Mathf.Min(seconds, Freshness.LostSeconds) / driftSeconds);
            neutral = PoseInterpolator.Mix(neutral, pose, share);
        }

        Pose ToAvatar(Pose pose)
        {
            Quaternion back = Quaternion.Inverse(neutral.rotation);
            Vector3 place = facing * (back * (pose.position - neutral.position));
            Quaternion turn = facing * (back * pose.rotation) * Quaternion.Inverse(facing);
            if (!mirror) return new Pose(place, turn);
            return new Pose(new Vector3(-place.x, place.y, place.z), new Quaternion(turn.x, -turn.y, -turn.z, turn.w));
        }
    }
}
