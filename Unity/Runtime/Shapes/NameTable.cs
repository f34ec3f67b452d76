using System;
using System.Collections.Generic;
using System.Text;

namespace OpenSee
{
    /// <summary>
    /// Numbers names by the order of their coming, found by their bytes, so that a name that came before makes no new
    /// string. For one thread; `Names` may be handed to others, as what is in it never changes.
    /// </summary>
    internal sealed class NameTable
    {
        private const int LongestName = 128;
        private const uint Basis = 2166136261, Prime = 16777619; // of the FNV-1a hash

        private readonly int most;
        private readonly Dictionary<uint, List<int>> places = new Dictionary<uint, List<int>>();
        private readonly List<byte[]> spelled = new List<byte[]>();

        /// <param name="most">How many names there may be; further ones are turned down.</param>
        public NameTable(int most)
        {
            this.most = most;
        }

        /// <summary>The names by their numbers: a new array whenever one came.</summary>
        public string[] Names { get; private set; } = new string[0];

        /// <summary>The number of a name in UTF-8; -1 for one that is turned down.</summary>
        public int Place(ArraySegment<byte> name)
        {
            if (name.Count == 0 || name.Count > LongestName)
                return -1;
            uint hash = Basis;
            for (int at = 0; at < name.Count; at++)
                hash = unchecked((hash ^ name.Array[name.Offset + at]) * Prime);
            if (!places.TryGetValue(hash, out List<int> alike))
                alike = null;
            foreach (int place in alike ?? NoPlaces)
                if (Same(spelled[place], name))
                    return place;
            return spelled.Count < most ? Add(hash, alike, name) : -1;
        }

        private static readonly List<int> NoPlaces = new List<int>();

        private int Add(uint hash, List<int> alike, ArraySegment<byte> name)
        {
            int place = spelled.Count;
            var bytes = new byte[name.Count];
            Buffer.BlockCopy(name.Array, name.Offset, bytes, 0, name.Count);
            spelled.Add(bytes);
            if (alike == null)
                places[hash] = alike = new List<int>();
            alike.Add(place);
            var names = new string[place + 1];
            Names.CopyTo(names, 0);
            names[place] = Encoding.UTF8.GetString(bytes);
            Names = names;
            return place;
        }

        private static bool Same(byte[] spelled, ArraySegment<byte> name)
        {
            if (spelled.Length != name.Count)
                return false;
            for (int at = 0; at < spelled.Length; at++)
                if (spelled[at] != name.Array[name.Offset + at])
                    return false;
            return true;
        }
    }
}
