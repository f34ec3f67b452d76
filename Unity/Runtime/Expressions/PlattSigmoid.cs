using System;

namespace OpenSee
{
    /// <summary>
    /// The sigmoid 1 / (1 + exp(−(slope · decision + offset))) that turns a decision into how likely the first of a pair
    /// is (J. Platt, "Probabilistic outputs for support vector machines", 1999).
    /// </summary>
    internal static class PlattSigmoid
    {
        private const double Ridge = 1e-6; // on the slope: finite also where the classes lie far apart
        private const double Enough = 1e-10, LeastStep = 1e-10;
        private const int MostSteps = 200;

        /// <summary>Fits it by Newton's method. The targets are not quite 0 and 1: see Platt.</summary>
        /// <param name="decisions">Of samples of both classes that no training saw.</param>
        /// <param name="first">Of each, whether it is of the first class.</param>
        public static void Fit(double[] decisions, bool[] first, out double slope, out double offset)
        {
            int count = Array.FindAll(first, one => one).Length;
            double high = (count + 1.0) / (count + 2.0), low = 1.0 / (first.Length - count + 2.0);
            slope = 0;
            offset = Math.Log((count + 1.0) / (first.Length - count + 1.0));
            double loss = Loss(decisions, first, high, low, slope, offset);
            for (int step = 0; step < MostSteps; step++)
            {
                // Gradient and second derivatives.
                double bySlope = Ridge * slope, byOffset = 0, twiceSlope = Ridge, mixed = 0, twiceOffset = 1e-12;
                for (int sample = 0; sample < decisions.Length; sample++)
                {
                    double likely = 1 / (1 + Math.Exp(-(slope * decisions[sample] + offset)));
                    double wrong = likely - (first[sample] ? high : low), curve = likely * (1 - likely);
                    bySlope += wrong * decisions[sample];
                    byOffset += wrong;
                    twiceSlope += curve * decisions[sample] * decisions[sample];
                    mixed += curve * decisions[sample];
                    twiceOffset += curve;
                }
                if (Math.Abs(bySlope) + Math.Abs(byOffset) < Enough)
                    return;
                double determinant = twiceSlope * twiceOffset - mixed * mixed;
                double slopeStep = -(twiceOffset * bySlope - mixed * byOffset) / determinant;
                double offsetStep = -(twiceSlope * byOffset - mixed * bySlope) / determinant;
                double share = 1, next = 0;
                for (; share > LeastStep; share /= 2)
                {
                    next = Loss(decisions, first, high, low, slope + share * slopeStep, offset + share * offsetStep);
                    if (next < loss)
                        break;
                }
                if (share <= LeastStep)
                    return; // as low as numbers go
                slope += share * slopeStep;
                offset += share * offsetStep;
                loss = next;
            }
        }

        private static double Loss(double[] decisions, bool[] first, double high, double low, double slope, double offset)
        {
            double loss = Ridge * slope * slope / 2;
            for (int sample = 0; sample < decisions.Length; sample++)
            {
                double logit = slope * decisions[sample] + offset, target = first[sample] ? high : low;
                // log(1 + exp(-logit)) + (1 - target) logit, without overflow
                loss += (logit > 0 ? Math.Log(1 + Math.Exp(-logit)) : Math.Log(1 + Math.Exp(logit)) - logit)
                    + (1 - target) * logit;
            }
            return loss;
        }
    }
}
