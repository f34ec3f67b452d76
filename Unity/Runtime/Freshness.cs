using UnityEngine;

namespace OpenSee
{
    /// <summary>Notices when something new was heard of a face, and for how long nothing was.</summary>
    internal struct Freshness
    {
        /// A face is lost when this long nothing was heard of it; slow computers track 10 frames a second.
        internal const float LostSeconds = 0.5f;

        OpenSee.OpenSeeData last;
        float since;

        /// <summary>Whether this is another one than at the last call.</summary>
        internal bool IsNew(OpenSee.OpenSeeData data, float now)
        {
            if (data == null || ReferenceEquals(data, last)) return false;
            last = data;
            since = now;
            return true;
        }

        /// <summary>Whether nothing new has come for <see cref="LostSeconds"/>.</summary>
        internal bool IsLost(float now) { return last == null || now - since > LostSeconds; }
    }
}
