namespace OpenSee
{
    /// <summary>Adds up the time between faces, without gaps and steps back.</summary>
    internal struct FaceClock
    {
        const double LongestStep = 0.5; // seconds; what is further apart is no movement

        double last;
        bool begun;

        /// <summary>Seconds since the face before; 0 where it can't be said.</summary>
        public double Step(double now)
        {
            double step = begun ? now - last : 0;
            last = now;
            begun = true;
            return step > 0 && step <= LongestStep ? step : 0;
        }
    }

    /// <summary>A recording of one expression while it is made.</summary>
    internal sealed class ExpressionRecorder
    {
        readonly ExpressionCollection collection;
        readonly ExpressionRecording recording = new ExpressionRecording();
        readonly int room;
        FaceClock clock;

        /// <exception cref="ExpressionException">The name is none, or there is no room.</exception>
        public ExpressionRecorder(ExpressionCollection collection, string name)
        {
            this.collection = collection;
            Name = name;
            collection.CheckRoom(name);
            RecordedExpression there = collection.Find(name);
            room = ExpressionCollection.MostSamples - (there == null ? 0 : there.Count);
        }

        /// <summary>Of the expression.</summary>
        public string Name { get; private set; }

        /// <summary>Seconds with a face so far.</summary>
        public double Seconds { get { return recording.Seconds; } }

        /// <summary>Whether the expression can have no more samples.</summary>
        public bool Full { get { return recording.Samples.Count >= room; } }

        /// <summary>Takes a face.</summary>
        /// <param name="columns">See <see cref="ExpressionColumns"/>.</param>
        /// <param name="time">When it was seen, seconds.</param>
        public void Add(float[] columns, double time)
        {
            recording.Seconds += clock.Step(time);
            if (!Full) recording.Samples.Add(columns);
        }

        /// <summary>Puts what was recorded into the collection, if anything was.</summary>
        public void Finish()
        {
            if (recording.Samples.Count > 0) collection.Take(Name).Recordings.Add(recording);
        }
    }
}
