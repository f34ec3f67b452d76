using System;
using System.Runtime.InteropServices;

namespace OpenSee
{
    /// <summary>
    /// One message of a datagram in the form of OSC 1.0, read where it lies: an address, type tags, arguments.
    /// Nothing outside the message is ever read, and nothing is allocated but the strings that are asked for.
    /// </summary>
    /// <remarks>
    /// Strings end with a zero and are padded with zeros to a multiple of four bytes; numbers are big-endian
    /// (https://opensoundcontrol.stanford.edu/spec-1_0.html).
    /// </remarks>
    internal struct OscMessage
    {
        private readonly byte[] data;
        private readonly int start, addressEnd, tags, tagsEnd;

        private OscMessage(byte[] data, int start, int addressEnd, int tags, int tagsEnd)
        {
            this.data = data;
            this.start = start;
            this.addressEnd = addressEnd;
            this.tags = tags;
            this.tagsEnd = tagsEnd;
        }

        /// <summary>Reads the head of the message in data[start] to data[end - 1].</summary>
        /// <returns>False if it is no message, or one without type tags or with tags that are not known.</returns>
        public static bool TryRead(byte[] data, int start, int end, out OscMessage message)
        {
            message = default(OscMessage);
            int at = start;
            if (at >= end || data[at] != '/' || !OscReader.SkipString(data, ref at, end, out int addressEnd))
                return false;
            int tags = at;
            if (at >= end || data[at] != ',' || !OscReader.SkipString(data, ref at, end, out int tagsEnd))
                return false;
            message = new OscMessage(data, start, addressEnd, tags + 1, tagsEnd);
            return message.HasItsArguments(at, end);
        }

        /// <summary>Whether this is the message's address (ASCII, case sensitive).</summary>
        public bool HasAddress(string address)
        {
            return OscReader.Same(data, start, addressEnd, address);
        }

        /// <summary>Whether these are the message's type tags, without the comma that leads them.</summary>
        public bool HasTags(string types)
        {
            return OscReader.Same(data, tags, tagsEnd, types);
        }

        /// <summary>Where the bytes of argument `index` begin. The tags say that it is there.</summary>
        public int Argument(int index)
        {
            int at = OscReader.Padded(tagsEnd - (tags - 1)) + tags - 1;
            for (int argument = 0; argument < index; argument++)
                at += SizeOf(data[tags + argument], at, data.Length);
            return at;
        }

        /// <summary>The float32 that is argument `index`; its tag must be f.</summary>
        public float Float(int index)
        {
            return new Bits { whole = Int(index) }.number;
        }

        /// <summary>The int32 that is argument `index`; its tag must be i.</summary>
        public int Int(int index)
        {
            return OscReader.Int32(data, Argument(index));
        }

        /// <summary>Where the string lies that is argument `index`, without its zeros; its tag must be s.</summary>
        public ArraySegment<byte> Text(int index)
        {
            int start = Argument(index), end = start;
            while (data[end] != 0)
                end++;
            return new ArraySegment<byte>(data, start, end - start);
        }

        private bool HasItsArguments(int at, int end)
        {
            for (int tag = tags; tag < tagsEnd; tag++)
            {
                int size = SizeOf(data[tag], at, end);
                if (size < 0 || size > end - at)
                    return false;
                at += size;
            }
            return at == end;
        }

        /// <summary>How many bytes an argument takes that begins at `at`; -1 for an unknown tag or no end.</summary>
        private int SizeOf(byte tag, int at, int end)
        {
            switch ((char)tag)
            {
                case 'i': case 'f': case 'c': case 'r': case 'm':
                    return 4;
                case 'h': case 't': case 'd':
                    return 8;
                case 'T': case 'F': case 'N': case 'I':
                    return 0;
                case 's': case 'S':
                    int after = at;
                    return OscReader.SkipString(data, ref after, end, out int ignored) ? after - at : -1;
                case 'b':
                    if (end - at < 4)
                        return -1;
                    int length = OscReader.Int32(data, at);
                    return length < 0 || length > end - at - 4 ? -1 : 4 + (length + 3) / 4 * 4;
                default:
                    return -1;
            }
        }

        [StructLayout(LayoutKind.Explicit)]
        private struct Bits
        {
            [FieldOffset(0)] public int whole;
            [FieldOffset(0)] public float number;
        }
    }

    /// <summary>Who is told of a datagram's messages, in their order.</summary>
    internal interface IOscListener
    {
        /// <summary>One message. It may be read until this returns.</summary>
        void Take(OscMessage message);
    }

    /// <summary>Reads OSC datagrams: single messages, and bundles of messages and of bundles.</summary>
    internal static class OscReader
    {
        private const int DeepestBundle = 8;
        private const int BundleHead = 16; // "#bundle", a zero, and a time tag of eight bytes

        /// <summary>
        /// Hands each message of a datagram to the listener. A datagram whose bundles don't fit together is skipped
        /// whole, and so is one that is cut off; a message that is not understood is passed over by itself.
        /// </summary>
        /// <param name="data">Holds the datagram in its first `count` bytes.</param>
        /// <returns>How many messages were handed over.</returns>
        public static int Read(byte[] data, int count, IOscListener listener)
        {
            return IsWhole(data, 0, count, 0) ? HandOver(data, 0, count, listener) : 0;
        }

        private static bool IsWhole(byte[] data, int start, int end, int depth)
        {
            if (end <= start || (end - start) % 4 != 0)
                return false;
            if (data[start] != '#')
                return true;
            if (depth >= DeepestBundle || end - start < BundleHead || !IsBundle(data, start))
                return false;
            for (int at = start + BundleHead; at < end;)
            {
                int size = Int32(data, at); // four bytes are there: all lengths are multiples of four
                at += 4;
                if (size <= 0 || size > end - at || !IsWhole(data, at, at + size, depth + 1))
                    return false;
                at += size;
            }
            return true;
        }

        private static int HandOver(byte[] data, int start, int end, IOscListener listener)
        {
            if (data[start] != '#')
            {
                if (!OscMessage.TryRead(data, start, end, out OscMessage message))
                    return 0;
                listener.Take(message);
                return 1;
            }
            int handed = 0;
            for (int at = start + BundleHead; at < end;)
            {
                int size = Int32(data, at);
                at += 4;
                handed += HandOver(data, at, at + size, listener);
                at += size;
            }
            return handed;
        }

        private static bool IsBundle(byte[] data, int start)
        {
            return Same(data, start, start + 7, "#bundle") && data[start + 7] == 0;
        }

        /// <summary>Moves `at` behind a padded string; `textEnd` is where its zero is.</summary>
        internal static bool SkipString(byte[] data, ref int at, int end, out int textEnd)
        {
            textEnd = at;
            while (textEnd < end && data[textEnd] != 0)
                textEnd++;
            int after = at + Padded(textEnd - at);
            if (textEnd == end || after > end)
                return false;
            at = after;
            return true;
        }

        /// <summary>The bytes that a string of so many takes, with the zeros at its end.</summary>
        internal static int Padded(int length)
        {
            return (length / 4 + 1) * 4;
        }

        internal static int Int32(byte[] data, int at)
        {
            return data[at] << 24 | data[at + 1] << 16 | data[at + 2] << 8 | data[at + 3];
        }

        internal static bool Same(byte[] data, int start, int end, string text)
        {
            if (end - start != text.Length)
                return false;
            for (int letter = 0; letter < text.Length; letter++)
                if (data[start + letter] != text[letter])
                    return false;
            return true;
        }
    }
}
