using UnityEngine;

namespace OpenSee
{
    /// <summary>
    /// Lets this object follow another as if it had mass: its speed never jumps, it comes to rest without swinging
    /// over, and stays a little behind.
    /// </summary>
    [AddComponentMenu("OpenSeeFace/OpenSeeKinematicInterpolation")]
    [DefaultExecutionOrder(100)]  // after what moves the target
    public class OpenSeeKinematicInterpolation : MonoBehaviour
    {
        [Tooltip("What is followed, in the world.")]
        public Transform target;
        [Tooltip("How far it stays behind a steady movement, seconds.")]
        [Range(0, 0.5f)] public float smoothTime = 0.1f;

        PoseSpring spring;
        bool begun;

        void OnEnable()
        {
            spring = new PoseSpring();
            begun = false;
        }

        void LateUpdate()
        {
            if (target == null) return;
            var wanted = new Pose(target.position, target.rotation);
            Pose here = begun ? new Pose(transform.position, transform.rotation) : wanted;
            begun = true;
            Pose now = spring.Step(here, wanted, smoothTime, Time.deltaTime);
            transform.position = now.position;
            transform.rotation = now.rotation;
        }
    }
}
