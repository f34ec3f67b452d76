using System;
using System.Linq;

namespace OpenSee
{
    /// <summary>
    /// Trains a C-SVC with an RBF kernel of several classes, one against one: C 2, gamma 1 / columns, and C in each class
    /// times samples / (classes · its samples), so that rare classes count as much as others.
    /// </summary>
    internal static class SvmTrainer
    {
        private const double Softness = 2, Tolerance = 1e-3;

        /// <summary>A classifier whose sigmoids are not fitted yet.</summary>
        /// <param name="standard">(n, m) Samples, standardised.</param>
        /// <param name="labels">(n) Which class each is of. Every class must occur.</param>
        /// <param name="stop">Asked now and then; an OperationCanceledException follows when it is true.</param>
        public static ExpressionClassifier Train(string[] names, int[] columns, double[] mean, double[] scale,
            double[][] standard, int[] labels, Func<bool> stop)
        {
            int classes = names.Length, pairs = classes * (classes - 1) / 2;
            double gamma = 1.0 / columns.Length;
            double[] costs = Enumerable.Range(0, classes).Select(name
                => Softness * labels.Length / (classes * (double)labels.Count(label => label == name))).ToArray();
            var kernel = new KernelRows(standard, gamma);
            var weights = new double[pairs][];
            var bias = new double[pairs];
            int pair = 0;
            for (int first = 0; first < classes; first++)
                for (int second = first + 1; second < classes; second++, pair++)
                {
                    int[] which = Enumerable.Range(0, labels.Length)
                        .Where(sample => labels[sample] == first || labels[sample] == second).ToArray();
                    bool[] isFirst = which.Select(sample => labels[sample] == first).ToArray();
                    TwoClassSolution found = SmoSolver.Solve(kernel, which, isFirst, costs[first], costs[second], Tolerance, stop);
                    bias[pair] = found.Bias;
                    weights[pair] = new double[labels.Length];
                    for (int sample = 0; sample < which.Length; sample++)
                        weights[pair][which[sample]] = found.Weights[sample];
                }
            int[] support = Enumerable.Range(0, labels.Length)
                .Where(sample => weights.Any(ofPair => ofPair[sample] != 0)).ToArray();
            return new ExpressionClassifier
            {
                Names = names,
                Columns = columns,
                Mean = mean,
                Scale = scale,
                Gamma = gamma,
                Support = support.Select(sample => standard[sample]).ToArray(),
                Weights = weights.Select(ofPair => support.Select(sample => ofPair[sample]).ToArray()).ToArray(),
                Bias = bias,
                Slope = Enumerable.Repeat(1.0, pairs).ToArray(),
                Offset = new double[pairs],
                Accuracy = Enumerable.Repeat(1.0, classes).ToArray(),
            };
        }
    }
}
