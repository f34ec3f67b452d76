using System;

namespace OpenSee
{
    /// <summary>
    /// Tells which of the expressions that were taught a face makes: a trained C-SVC with an RBF kernel, one against
    /// one. It gives what the tracker's own (expressions/classifier.py) gives for the same file.
    /// </summary>
    public sealed class ExpressionClassifier
    {
        private const double Sure = 1e-6; // so near to 0 or 1 a pair's probability may come: none settles all alone

        /// <summary>Of the k expressions.</summary>
        public string[] Names { get; internal set; }
        /// <summary>Which m columns of <see cref="ExpressionColumns"/> it looks at.</summary>
        public int[] Columns { get; internal set; }
        /// <summary>(m) What is taken off a column.</summary>
        internal double[] Mean;
        /// <summary>(m) What it is divided by then.</summary>
        internal double[] Scale;
        /// <summary>Of the kernel exp(-gamma · squared distance).</summary>
        internal double Gamma;
        /// <summary>(s, m) Support vectors, standardised.</summary>
        internal double[][] Support;
        /// <summary>(pairs, s) Of each support vector in the decision of each pair: (0, 1), (0, 2) … (k − 2, k − 1).</summary>
        internal double[][] Weights;
        /// <summary>(pairs) Added to it. Above 0 then means the first of the pair.</summary>
        internal double[] Bias;
        /// <summary>(pairs) Of the sigmoid: the first is there with 1 / (1 + exp(−(slope · decision + offset))).</summary>
        internal double[] Slope, Offset;
        /// <summary>(k) How much of each expression was right, of recordings that were kept out of training.</summary>
        public double[] Accuracy { get; internal set; }

        private double[] standard, kernel;

        /// <summary>Whether it looks at blend shapes.</summary>
        public bool NeedsShapes
        {
            get { return Array.Exists(Columns, column => column >= ExpressionColumns.Shapes); }
        }

        /// <summary>The decision values of all pairs, of one face. For one thread at a time.</summary>
        /// <param name="values">The columns of <see cref="ExpressionColumns"/>.</param>
        public double[] Decisions(float[] values)
        {
            if (standard == null)
            {
                standard = new double[Columns.Length];
                kernel = new double[Support.Length];
            }
            for (int column = 0; column < standard.Length; column++)
                standard[column] = (values[Columns[column]] - Mean[column]) / Scale[column];
            for (int vector = 0; vector < kernel.Length; vector++)
                kernel[vector] = Math.Exp(-Gamma * SquaredDistance(Support[vector], standard));
            var decisions = new double[Bias.Length];
            for (int pair = 0; pair < decisions.Length; pair++)
            {
                double sum = Bias[pair];
                double[] weights = Weights[pair];
                for (int vector = 0; vector < kernel.Length; vector++)
                    sum += weights[vector] * kernel[vector];
                decisions[pair] = sum;
            }
            return decisions;
        }

        /// <summary>How likely each expression is, adding up to 1.</summary>
        /// <param name="values">The columns of <see cref="ExpressionColumns"/>.</param>
        public double[] Probabilities(float[] values)
        {
            return Couple(Decisions(values));
        }

        /// <summary>
        /// From the pairs' decisions to the expressions: p = 1 / (Σ over the others of 1 / r − (k − 2)), where r is how
        /// likely it is beside that other, divided by the sum (D. Price, S. Knerr, L. Personnaz, G. Dreyfus, "Pairwise
        /// neural network classifiers with probabilistic outputs", NIPS 1994).
        /// </summary>
        internal double[] Couple(double[] decisions)
        {
            double limit = Math.Log((1 - Sure) / Sure), sum = 0;
            var likely = new double[Names.Length];
            int pair = 0;
            for (int first = 0; first < likely.Length; first++)
                for (int second = first + 1; second < likely.Length; second++, pair++)
                {
                    double logit = Slope[pair] * decisions[pair] + Offset[pair];
                    double odds = Math.Exp(Math.Max(-limit, Math.Min(limit, logit)));
                    likely[first] += 1 + 1 / odds;
                    likely[second] += 1 + odds;
                }
            for (int name = 0; name < likely.Length; name++)
            {
                likely[name] = 1 / (likely[name] - (likely.Length - 2));
                sum += likely[name];
            }
            for (int name = 0; name < likely.Length; name++)
                likely[name] /= sum;
            return likely;
        }

        /// <summary>The number of the largest value; the first of equal ones.</summary>
        internal static int Best(double[] values)
        {
            int best = 0;
            for (int number = 1; number < values.Length; number++)
                if (values[number] > values[best])
                    best = number;
            return best;
        }

        private static double SquaredDistance(double[] a, double[] b)
        {
            double sum = 0;
            for (int at = 0; at < a.Length; at++)
            {
                double difference = a[at] - b[at];
                sum += difference * difference;
            }
            return sum;
        }
    }
}
