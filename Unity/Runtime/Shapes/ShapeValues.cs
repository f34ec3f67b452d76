using System;
using System.Threading;

namespace OpenSee
{
    /// <summary>The values of shapes by name, as they were when a frame of them was complete.</summary>
    internal sealed class ShapeFrame
    {
        /// <summary>The shapes' names, in the order of their coming.</summary>
        public string[] Names { get; private set; } = new string[0];
        /// <summary>Their values, 0 to 1; there may be room for more behind them.</summary>
        public float[] Values { get; private set; } = new float[0];
        /// <summary>Which frame this is, from 1; 0 before the first.</summary>
        public int Number { get; private set; }
        /// <summary>Whether whoever sends sees a face, as far as it says.</summary>
        public bool Tracking { get; private set; }

        internal void Copy(string[] names, float[] values, int number, bool tracking)
        {
            Names = names;
            if (Values.Length < names.Length)
                Values = new float[values.Length];
            Array.Copy(values, Values, names.Length);
            Number = number;
            Tracking = tracking;
        }
    }

    /// <summary>
    /// Takes the messages of the VMC protocol in one thread and gives whole frames to another, without a lock: there
    /// are three frames, one that is written, one that is read, and one between them that either side swaps for its
    /// own.
    /// </summary>
    internal sealed class ShapeValues : IOscListener
    {
        /// <summary>Names beyond this many are not taken up: no avatar has them, whoever sends them.</summary>
        public const int MostNames = 1024;

        private readonly NameTable table = new NameTable(MostNames);
        private float[] current = new float[64];
        private int number;
        private bool tracking = true;
        private ShapeFrame written = new ShapeFrame(), between = new ShapeFrame(), read = new ShapeFrame();

        /// <summary>For the thread that receives: one message.</summary>
        public void Take(OscMessage message)
        {
            if (message.HasAddress("/VMC/Ext/Blend/Val"))
            {
                if (message.HasTags("sf"))
                    Set(message);
            }
            else if (message.HasAddress("/VMC/Ext/Blend/Apply"))
                Publish();
            else if (message.HasAddress("/VMC/Ext/OK") && message.HasTags("iiii"))
                tracking = message.Int(3) != 0;
        }

        /// <summary>For the thread that reads: the newest frame. It stays as it is until the next call.</summary>
        public ShapeFrame Newest()
        {
            if (Volatile.Read(ref between).Number > read.Number)
                read = Interlocked.Exchange(ref between, read);
            return read;
        }

        private void Set(OscMessage message)
        {
            float value = message.Float(1);
            if (float.IsNaN(value) || float.IsInfinity(value))
                return;
            int place = table.Place(message.Text(0));
            if (place < 0)
                return;
            if (place >= current.Length)
                Array.Resize(ref current, 2 * current.Length);
            current[place] = Math.Min(1f, Math.Max(0f, value));
        }

        private void Publish()
        {
            written.Copy(table.Names, current, ++number, tracking);
            written = Interlocked.Exchange(ref between, written);
        }
    }
}
