using System.Collections.Generic;

namespace OpenSee
{
    /// <summary>
    /// What was heard of every face. The thread that receives brings datagrams; whoever wants to know asks for
    /// <see cref="Faces"/>: an array that is never changed but replaced, so that nobody waits for anybody.
    /// </summary>
    internal sealed class HeardFaces
    {
        /// Faces that are remembered; a datagram has 36 at most. Those not heard of for longest are dropped first.
        const int MostFaces = 64;
        /// A record older than the last of its face by less than this was overtaken on its way; beyond, a recording
        /// has begun again or a clock was set.
        const double OvertakenSeconds = 1;

        readonly SortedDictionary<int, Heard> heard = new SortedDictionary<int, Heard>();
        volatile OpenSee.OpenSeeData[] faces = new OpenSee.OpenSeeData[0];
        volatile int packets;

        struct Heard
        {
            internal OpenSee.OpenSeeData data;
            internal int packet;
        }

        /// <summary>The newest data of every face heard of, by number. Never changed once it is here.</summary>
        internal OpenSee.OpenSeeData[] Faces { get { return faces; } }

        /// <summary>Datagrams that held tracking data.</summary>
        internal int Packets { get { return packets; } }

        /// <summary>Takes a datagram, which is in the first `length` bytes; passes over what is none of the tracker's.</summary>
        internal void Take(byte[] datagram, int length)
        {
            const int size = OpenSee.OpenSeeData.RecordSize;
            if (length == 0 || length % size != 0) return;
            bool any = false;
            for (int offset = 0; offset < length; offset += size)
            {
                OpenSee.OpenSeeData data = OpenSee.OpenSeeData.Read(datagram, offset);
                if (data == null) continue;
                any = true;
                Heard last;
                if (heard.TryGetValue(data.id, out last))
                {
                    double late = last.data.time - data.time;
                    if (late > 0 && late < OvertakenSeconds) continue;
                }
                heard[data.id] = new Heard { data = data, packet = packets };
            }
            if (!any) return;
            while (heard.Count > MostFaces) heard.Remove(LongestSilent());
            var now = new OpenSee.OpenSeeData[heard.Count];
            int count = 0;
            foreach (Heard one in heard.Values) now[count++] = one.data;
            faces = now;
            packets++;  // after the faces: who sees the number sees them too
        }

        int LongestSilent()
        {
            int silent = 0, packet = int.MaxValue;
            foreach (KeyValuePair<int, Heard> one in heard)
            {
                if (one.Value.packet >= packet) continue;
                silent = one.Key;
                packet = one.Value.packet;
            }
            return silent;
        }
    }
}
