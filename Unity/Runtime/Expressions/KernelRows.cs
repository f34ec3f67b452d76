using System;

namespace OpenSee
{
    /// <summary>
    /// The values exp(-gamma |a - b|²) between all samples of a training, worked out row by row when a row is first
    /// asked for, and kept as long as there is room.
    /// </summary>
    internal sealed class KernelRows
    {
        private const long Room = 128L << 20; // bytes for kept rows

        private readonly double[][] samples;
        private readonly double[] squares;
        private readonly double gamma;
        private readonly float[][] rows;
        private readonly long[] used;
        private readonly int most;
        private long clock;
        private int kept;

        /// <param name="samples">One row a sample, all of one length.</param>
        /// <param name="gamma">Above 0.</param>
        public KernelRows(double[][] samples, double gamma)
        {
            this.samples = samples;
            this.gamma = gamma;
            rows = new float[samples.Length][];
            used = new long[samples.Length];
            squares = new double[samples.Length];
            for (int sample = 0; sample < samples.Length; sample++)
                squares[sample] = Dot(samples[sample], samples[sample]);
            most = (int)Math.Max(2, Room / (sizeof(float) * Math.Max(1L, samples.Length)));
        }

        /// <summary>The values of one sample with all. Two rows stay valid together, no more.</summary>
        public float[] Row(int sample)
        {
            used[sample] = ++clock;
            if (rows[sample] == null)
            {
                float[] row = kept < most ? new float[samples.Length] : TakeOldest();
                Fill(row, sample);
                rows[sample] = row;
                kept++;
            }
            return rows[sample];
        }

        private float[] TakeOldest()
        {
            int oldest = -1;
            for (int sample = 0; sample < rows.Length; sample++)
                if (rows[sample] != null && (oldest < 0 || used[sample] < used[oldest]))
                    oldest = sample;
            float[] row = rows[oldest];
            rows[oldest] = null;
            kept--;
            return row;
        }

        private void Fill(float[] row, int sample)
        {
            double[] own = samples[sample];
            for (int other = 0; other < row.Length; other++)
                row[other] = rows[other] != null
                    ? rows[other][sample]
                    : (float)Math.Exp(-gamma * Math.Max(0, squares[sample] + squares[other] - 2 * Dot(own, samples[other])));
        }

        /// <summary>The sum of products; four partial sums, which a processor works on at once.</summary>
        private static double Dot(double[] a, double[] b)
        {
            double first = 0, second = 0, third = 0, fourth = 0;
            int at = 0;
            for (; at + 3 < a.Length; at += 4)
            {
                first += a[at] * b[at];
                second += a[at + 1] * b[at + 1];
                third += a[at + 2] * b[at + 2];
                fourth += a[at + 3] * b[at + 3];
            }
            for (; at < a.Length; at++)
                first += a[at] * b[at];
            return first + second + (third + fourth);
        }
    }
}
