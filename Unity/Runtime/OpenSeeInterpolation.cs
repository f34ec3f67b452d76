using UnityEngine;

namespace OpenSee
{
    /// <summary>
    /// Lets this object follow another that moves in the tracker's steps, such as an <see cref="OpenSeeIKTarget"/>
    /// whose own interpolation is off: evenly, and one step behind.
    /// </summary>
    [AddComponentMenu("OpenSeeFace/OpenSeeInterpolation")]
    [DefaultExecutionOrder(100)]  // after what moves the target
    public class OpenSeeInterpolation : MonoBehaviour
    {
        [Tooltip("What is followed, in the world.")]
        public Transform target;

        PoseInterpolator interpolator;
        Pose last;
        bool begun;

        void OnEnable()
        {
            interpolator = new PoseInterpolator();
            begun = false;
        }

        void LateUpdate()
        {
            if (target == null) return;
            var pose = new Pose(target.position, target.rotation);
            if (!begun || !Same(pose, last)) interpolator.Add(pose, Time.time);
            begun = true;
            last = pose;
            Pose now = interpolator.At(Time.time);
            transform.position = now.position;
            transform.rotation = now.rotation;
        }

        /// Bit for bit: Unity's == takes small movements for none.
        static bool Same(Pose a, Pose b) { return a.position.Equals(b.position) && a.rotation.Equals(b.rotation); }
    }
}
