using System;

namespace OpenSee
{
    /// <summary>What was learnt of two classes: f(x) = Σ Weights[s] k(x, s) + Bias, above 0 for the first class.</summary>
    internal sealed class TwoClassSolution
    {
        /// <summary>Of each sample of the two classes; 0 for those that are no support vectors.</summary>
        public double[] Weights;
        public double Bias;
        /// <summary>False if the steps ran out before the tolerance was met.</summary>
        public bool Converged;
    }

    /// <summary>
    /// Trains a support vector machine of two classes with soft margins: minimises ½ αᵀQα − Σα with yᵀα = 0 and
    /// 0 ≤ α ≤ C, where Q = y yᵀ k, two multipliers at a time.
    /// </summary>
    /// <remarks>
    /// Sequential minimal optimisation: J. Platt, "Fast training of support vector machines using sequential minimal
    /// optimization", 1998. The pair that is moved is the most violating one by second-order information: R.-E. Fan,
    /// P.-H. Chen, C.-J. Lin, "Working set selection using second order information for training support vector
    /// machines", JMLR 6, 2005, algorithm 2.
    /// </remarks>
    internal static class SmoSolver
    {
        private const double Smallest = 1e-12; // curvature along a pair of equal samples
        private const int StepsEachSample = 1000;

        /// <param name="kernel">Of all samples of the training.</param>
        /// <param name="which">The samples of the two classes.</param>
        /// <param name="first">Of each of them, whether it is of the first class. Both classes must occur.</param>
        /// <param name="firstCost">C of the first class.</param>
        /// <param name="secondCost">C of the second class.</param>
        /// <param name="tolerance">By how much the optimality conditions may be missed.</param>
        /// <param name="stop">Asked now and then; an OperationCanceledException follows when it is true.</param>
        public static TwoClassSolution Solve(KernelRows kernel, int[] which, bool[] first, double firstCost,
            double secondCost, double tolerance, Func<bool> stop)
        {
            int count = which.Length;
            var signs = new double[count];
            var costs = new double[count];
            var alphas = new double[count];
            var pulls = new double[count]; // −y times the gradient: up to the bias, what f lacks to y
            for (int sample = 0; sample < count; sample++)
            {
                signs[sample] = first[sample] ? 1 : -1;
                costs[sample] = first[sample] ? firstCost : secondCost;
                pulls[sample] = signs[sample];
            }

            var solution = new TwoClassSolution();
            long most = Math.Max(100000L, (long)StepsEachSample * count);
            for (long step = 0; step < most; step++)
            {
                if ((step & 255) == 0 && stop())
                    throw new OperationCanceledException();
                int up = StrongestUp(signs, costs, alphas, pulls);
                float[] upRow = kernel.Row(which[up]);
                int down = BestDown(up, upRow, which, signs, costs, alphas, pulls, out double gap);
                if (down < 0 || gap < tolerance)
                {
                    solution.Converged = true;
                    break;
                }
                float[] downRow = kernel.Row(which[down]);
                double move = (pulls[up] - pulls[down]) / Curvature(upRow[which[down]]);
                move = Math.Min(move, Math.Min(RoomUp(up, signs, costs, alphas), RoomDown(down, signs, costs, alphas)));
                Move(alphas, costs, up, signs[up] * move);
                Move(alphas, costs, down, -signs[down] * move);
                for (int sample = 0; sample < count; sample++)
                    pulls[sample] -= move * (upRow[which[sample]] - downRow[which[sample]]);
            }
            solution.Bias = Bias(signs, costs, alphas, pulls);
            for (int sample = 0; sample < count; sample++)
                alphas[sample] *= signs[sample];
            solution.Weights = alphas;
            return solution;
        }

        /// <summary>By how much y times alpha may grow.</summary>
        private static double RoomUp(int sample, double[] signs, double[] costs, double[] alphas)
        {
            return signs[sample] > 0 ? costs[sample] - alphas[sample] : alphas[sample];
        }

        /// <summary>By how much y times alpha may shrink.</summary>
        private static double RoomDown(int sample, double[] signs, double[] costs, double[] alphas)
        {
            return signs[sample] > 0 ? alphas[sample] : costs[sample] - alphas[sample];
        }

        private static double Curvature(float kernelValue)
        {
            return Math.Max(Smallest, 2.0 - 2.0 * kernelValue); // k(x, x) = 1
        }

        private static int StrongestUp(double[] signs, double[] costs, double[] alphas, double[] pulls)
        {
            int strongest = -1;
            for (int sample = 0; sample < pulls.Length; sample++)
                if ((strongest < 0 || pulls[sample] > pulls[strongest]) && RoomUp(sample, signs, costs, alphas) > 0)
                    strongest = sample;
            return strongest;
        }

        /// <summary>The partner with which the objective falls most; -1 if there is none. The gap is the violation.</summary>
        private static int BestDown(int up, float[] upRow, int[] which, double[] signs, double[] costs,
            double[] alphas, double[] pulls, out double gap)
        {
            int best = -1;
            double mostGain = 0;
            gap = 0;
            for (int sample = 0; sample < pulls.Length; sample++)
            {
                double difference = pulls[up] - pulls[sample];
                if (difference <= 0 || RoomDown(sample, signs, costs, alphas) <= 0)
                    continue;
                gap = Math.Max(gap, difference);
                double gain = difference * difference / Curvature(upRow[which[sample]]);
                if (gain > mostGain)
                {
                    mostGain = gain;
                    best = sample;
                }
            }
            return best;
        }

        private static void Move(double[] alphas, double[] costs, int sample, double by)
        {
            double moved = alphas[sample] + by;
            double near = 1e-12 * costs[sample];
            // What rounding leaves at an edge is put on it, as samples there count differently from those between.
            alphas[sample] = moved < near ? 0 : moved > costs[sample] - near ? costs[sample] : moved;
        }

        /// <summary>Samples between the edges lie on the margin, where f = y; without one, the middle of what may be.</summary>
        private static double Bias(double[] signs, double[] costs, double[] alphas, double[] pulls)
        {
            double sum = 0, lowest = double.NegativeInfinity, highest = double.PositiveInfinity;
            int free = 0;
            for (int sample = 0; sample < pulls.Length; sample++)
            {
                bool canRise = RoomUp(sample, signs, costs, alphas) > 0;
                bool canFall = RoomDown(sample, signs, costs, alphas) > 0;
                if (canRise && canFall)
                {
                    sum += pulls[sample];
                    free++;
                }
                else if (canRise)
                    lowest = Math.Max(lowest, pulls[sample]);
                else
                    highest = Math.Min(highest, pulls[sample]);
            }
            return free > 0 ? sum / free : (lowest + highest) / 2;
        }
    }
}
