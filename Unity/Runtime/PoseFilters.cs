using UnityEngine;

namespace OpenSee
{
    /// <summary>
    /// Goes from each pose to the next in the time that lay between the two before: one pose behind, and without steps
    /// between the tracker's frames.
    /// </summary>
    internal struct PoseInterpolator
    {
        /// A longer gap than this is no rate, but a face that was lost.
        const float LongestInterval = 0.25f;

        Pose from, to;
        float start, interval;
        bool begun;

        /// <summary>A new pose has come.</summary>
        internal void Add(Pose pose, float now)
        {
            from = begun ? At(now) : pose;
            interval = begun ? Mathf.Min(now - start, LongestInterval) : 0;
            to = pose;
            start = now;
            begun = true;
        }

        /// <summary>The pose for this time.</summary>
        internal Pose At(float now) { return interval > 0 ? Mix(from, to, (now - start) / interval) : to; }

        /// <summary>From `a` (0) to `b` (1).</summary>
        internal static Pose Mix(Pose a, Pose b, float share)
        {
            return new Pose(Vector3.Lerp(a.position, b.position, share), Quaternion.Slerp(a.rotation, b.rotation, share));
        }
    }

    /// <summary>Holds back poses that jump, until they have stayed for a while.</summary>
    internal struct OutlierGate
    {
        Pose accepted;
        float since;
        bool begun, waiting;

        /// <summary>Whether this pose is to be believed.</summary>
        /// <param name="pose">The newest pose.</param>
        /// <param name="now">When it came, seconds.</param>
        /// <param name="angle">Degrees that it may differ from the last one.</param>
        /// <param name="distance">How far it may lie from the last one.</param>
        /// <param name="seconds">For how long it is held back when it differs more.</param>
        internal bool Admits(Pose pose, float now, float angle, float distance, float seconds)
        {
            bool jumps = begun && (Quaternion.Angle(pose.rotation, accepted.rotation) > angle
                || Vector3.Distance(pose.position, accepted.position) > distance);
            if (jumps)
            {
                if (!waiting) since = now;
                waiting = true;
                if (now - since < seconds) return false;
            }
            waiting = false;
            begun = true;
            accepted = pose;
            return true;
        }
    }

    /// <summary>
    /// Follows a pose as a critically damped spring does: smooth in its speed, without swinging over.
    /// </summary>
    internal struct PoseSpring
    {
        Vector3 speed, spin;  // per second; the spin in degrees about its axis

        /// <summary>The pose after `seconds` more.</summary>
        /// <param name="here">The pose now.</param>
        /// <param name="target">Where it is to go.</param>
        /// <param name="smoothTime">About how far it stays behind a steady movement, seconds.</param>
        /// <param name="seconds">Since the last call.</param>
        internal Pose Step(Pose here, Pose target, float smoothTime, float seconds)
        {
            if (seconds <= 0) return here;
            if (smoothTime <= 0)
            {
                speed = spin = Vector3.zero;
                return target;
            }
            Vector3 place = target.position + Approach(here.position - target.position, ref speed, smoothTime, seconds);
            Vector3 turn = Approach(TurnFrom(target.rotation, here.rotation), ref spin, smoothTime, seconds);
            float angle = turn.magnitude;
            Quaternion left = angle > 1e-6f ? Quaternion.AngleAxis(angle, turn / angle) : Quaternion.identity;
            return new Pose(place, left * target.rotation);
        }

        /// What is left of an offset: the exact solution of x'' = -2 w x' - w² x, stable for steps of any length.
        static Vector3 Approach(Vector3 offset, ref Vector3 velocity, float smoothTime, float seconds)
        {
            float w = 2 / smoothTime, decay = Mathf.Exp(-w * seconds);
            Vector3 rate = velocity + w * offset;
            velocity = (velocity - w * seconds * rate) * decay;
            return (offset + seconds * rate) * decay;
        }

        /// The turn that leads from `a` to `b` the shorter way: axis times degrees.
        static Vector3 TurnFrom(Quaternion a, Quaternion b)
        {
            float angle;
            Vector3 axis;
            Quaternion turn = b * Quaternion.Inverse(a);
            turn.ToAngleAxis(out angle, out axis);
            if (angle > 180) angle -= 360;
            return float.IsInfinity(axis.x) ? Vector3.zero : axis * angle;
        }
    }
}
