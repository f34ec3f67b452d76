using System;
using System.Collections.Generic;
using System.Linq;

namespace OpenSee
{
    /// <summary>A classifier, and how it did on what was kept out.</summary>
    public sealed class TrainedExpressions
    {
        /// <summary>Trained with everything.</summary>
        public ExpressionClassifier Classifier { get; internal set; }
        /// <summary>Which share of the samples of each expression (first index) was told to be which (second).</summary>
        public float[,] Confusion { get; internal set; }

        private const float Good = 0.95f; // an expression that is told less often is worth a warning

        /// <summary>A sentence for each expression that is told too seldom, and for which other one it is taken.</summary>
        public IEnumerable<string> Warnings()
        {
            string[] names = Classifier.Names;
            for (int name = 0; name < names.Length; name++)
            {
                if (Confusion[name, name] >= Good)
                    continue;
                int other = name == 0 ? 1 : 0;
                for (int told = 0; told < names.Length; told++)
                    if (told != name && Confusion[name, told] > Confusion[name, other])
                        other = told;
                yield return string.Format("'{0}' was told in {1:0} of 100 cases, most of the others were taken for '{2}': "
                    + "record both again, more differently.", names[name], 100 * Confusion[name, name], names[other]);
            }
        }
    }

    /// <summary>
    /// Learns to tell a person's expressions apart from what was recorded, as the tracker's own training does
    /// (expressions/training.py): what is learnt is tried on a quarter that was kept out, four times, so that each
    /// quarter is once. What is kept out is whole blocks of time, as neighbouring frames are alike.
    /// </summary>
    public static class ExpressionTrainer
    {
        private const int LearntFrom = 400; // samples of an expression at the most: more cost time in every frame
        private const int Blocks = 12, Quarters = 4; // of an expression; every fourth block is kept out together
        /// <summary>Least samples of an expression.</summary>
        public const int Least = 2 * Blocks;

        private const double Still = 1e-6; // a column that moves less than this never moved
        private const double LeastWithin = 0.1; // share of a column's variance within expressions, at least
        private const double LeastShare = 1e-4; // of what the most telling column counts

        /// <summary>Trains the classifiers that the recordings admit. Takes seconds: for a thread of its own.</summary>
        /// <param name="collection">Is not changed, and must not be meanwhile.</param>
        /// <param name="progress">Is told how far it is, 0 to 1.</param>
        /// <param name="stop">Asked now and then whether to stop.</param>
        /// <returns>With blend shapes, if all recordings have them, and without.</returns>
        /// <exception cref="ExpressionException">There is too little to learn from.</exception>
        /// <exception cref="OperationCanceledException">It was to stop.</exception>
        public static List<TrainedExpressions> Train(ExpressionCollection collection, Action<float> progress,
            Func<bool> stop)
        {
            Check(collection);
            var choices = new List<int[]> { Landmarks().Concat(Turn()).ToArray() };
            if (collection.Expressions.All(expression => expression.Recordings.All(HasShapes)))
                choices.Insert(0, choices[0].Concat(FaceShapes()).ToArray());
            var samples = new TrainingSamples(collection.Expressions);
            var trained = new List<TrainedExpressions>();
            foreach (int[] columns in choices)
            {
                float done = (float)trained.Count / choices.Count;
                trained.Add(Train(samples, columns, part => progress(done + part / choices.Count), stop));
            }
            return trained;
        }

        /// <summary>Throws when there is too little to learn from.</summary>
        /// <exception cref="ExpressionException">There is.</exception>
        public static void Check(ExpressionCollection collection)
        {
            int count = collection.Expressions.Count;
            if (count < 2)
                throw new ExpressionException("Two expressions are needed at least to tell them apart, and there is "
                    + (count == 0 ? "none." : "one."));
            foreach (RecordedExpression expression in collection.Expressions)
                if (expression.Count < Least)
                    throw new ExpressionException("'" + expression.Name + "' has only " + expression.Count
                        + " samples, " + Least + " are needed: record it again.");
        }

        private static TrainedExpressions Train(TrainingSamples samples, int[] columns, Action<float> progress,
            Func<bool> stop)
        {
            columns = columns.Where(samples.Moves).ToArray();
            if (columns.Length == 0)
                throw new ExpressionException("Nothing moved in what was recorded: record it again.");
            int[] all = Enumerable.Range(0, samples.Count).ToArray();
            var decisions = new double[samples.Count][];
            for (int quarter = 0; quarter < Quarters; quarter++)
            {
                ExpressionClassifier partly = Fit(samples, all.Where(sample => samples.Quarters[sample] != quarter), columns, stop);
                foreach (int sample in all.Where(sample => samples.Quarters[sample] == quarter))
                    decisions[sample] = partly.Decisions(samples.Values[sample]);
                progress((quarter + 1f) / (Quarters + 1));
            }
            ExpressionClassifier classifier = Fit(samples, all, columns, stop);
            int pair = 0;
            for (int first = 0; first < samples.Names.Length; first++)
                for (int second = first + 1; second < samples.Names.Length; second++, pair++)
                {
                    int[] ofPair = all.Where(sample => samples.Labels[sample] == first || samples.Labels[sample] == second).ToArray();
                    PlattSigmoid.Fit(ofPair.Select(sample => decisions[sample][pair]).ToArray(),
                        ofPair.Select(sample => samples.Labels[sample] == first).ToArray(),
                        out classifier.Slope[pair], out classifier.Offset[pair]);
                }
            progress(1);
            return Judged(classifier, samples, decisions);
        }

        /// <summary>How often each was told right, from the decisions on what was kept out.</summary>
        private static TrainedExpressions Judged(ExpressionClassifier classifier, TrainingSamples samples, double[][] decisions)
        {
            int classes = samples.Names.Length;
            var confusion = new float[classes, classes];
            for (int sample = 0; sample < samples.Count; sample++)
            {
                int told = ExpressionClassifier.Best(classifier.Couple(decisions[sample]));
                confusion[samples.Labels[sample], told] += 1;
            }
            for (int name = 0; name < classes; name++)
            {
                int count = samples.Labels.Count(label => label == name);
                for (int told = 0; told < classes; told++)
                    confusion[name, told] /= count;
                classifier.Accuracy[name] = confusion[name, name];
            }
            return new TrainedExpressions { Classifier = classifier, Confusion = confusion };
        }

        /// <summary>A classifier from some samples, whose sigmoids are not fitted yet.</summary>
        private static ExpressionClassifier Fit(TrainingSamples samples, IEnumerable<int> which, int[] columns, Func<bool> stop)
        {
            int[] chosen = which.ToArray();
            double[] mean = columns.Select(column => samples.Mean(chosen, column)).ToArray();
            double[] scale = columns.Select(column => samples.Deviation(chosen, column)).ToArray();
            for (int column = 0; column < scale.Length; column++)
                if (scale[column] < Still)
                    scale[column] = 1; // moved only in what was kept out
            double[] importance = Importance(samples, chosen, columns, scale);
            for (int column = 0; column < scale.Length; column++)
                scale[column] /= importance[column];
            double[][] standard = chosen.Select(sample => columns.Select((column, number)
                => (samples.Values[sample][column] - mean[number]) / scale[number]).ToArray()).ToArray();
            int[] labels = chosen.Select(sample => samples.Labels[sample]).ToArray();
            return SvmTrainer.Train(samples.Names, columns, mean, scale, standard, labels, stop);
        }

        /// <summary>
        /// How much each column counts: the root of its Fisher ratio, which is how much it varies between expressions
        /// over how much within them; 1 in the mean square. Most columns say nothing of most expressions, and their
        /// noise would count as much as what others say.
        /// </summary>
        private static double[] Importance(TrainingSamples samples, int[] chosen, int[] columns, double[] scale)
        {
            int[][] ofName = Enumerable.Range(0, samples.Names.Length)
                .Select(name => chosen.Where(sample => samples.Labels[sample] == name).ToArray()).ToArray();
            double[] ratios = columns.Select((column, number) =>
            {
                double[] means = ofName.Select(which => samples.Mean(which, column)).ToArray();
                double middle = means.Average(), variance = scale[number] * scale[number];
                double between = means.Average(mean => (mean - middle) * (mean - middle)) / variance;
                double within = ofName.Average(which => Square(samples.Deviation(which, column))) / variance;
                return between / Math.Max(within, LeastWithin);
            }).ToArray();
            double most = ratios.Max();
            double[] kept = ratios.Select(ratio => most > 0 ? Math.Max(ratio, LeastShare * most) : 1).ToArray();
            double average = kept.Average();
            return kept.Select(ratio => Math.Sqrt(ratio / average)).ToArray();
        }

        private static double Square(double number)
        {
            return number * number;
        }

        private static bool HasShapes(ExpressionRecording recording)
        {
            return recording.Samples.All(sample => !float.IsNaN(sample[ExpressionColumns.Shapes]));
        }

        /// <summary>
        /// Brows, nose, eyes and mouth. The jaw line moves more with the head than with the face; pupils and eyeballs
        /// tell where somebody looks, and so do some shapes.
        /// </summary>
        private static IEnumerable<int> Landmarks()
        {
            return Enumerable.Range(3 * 17, 3 * (66 - 17));
        }

        private static IEnumerable<int> Turn()
        {
            return Enumerable.Range(ExpressionColumns.Rotation, ExpressionColumns.Shapes - ExpressionColumns.Rotation);
        }

        private static IEnumerable<int> FaceShapes()
        {
            for (int shape = 0; shape < ShapeNames.Arkit.Length; shape++)
                if (!ShapeNames.Arkit[shape].StartsWith("eyeLook", StringComparison.Ordinal))
                    yield return ExpressionColumns.Shapes + shape;
        }

        /// <summary>What is learnt from: evenly chosen samples of all expressions.</summary>
        private sealed class TrainingSamples
        {
            public readonly string[] Names;
            public readonly List<float[]> Values = new List<float[]>();
            public readonly List<int> Labels = new List<int>(), Quarters = new List<int>();

            public TrainingSamples(List<RecordedExpression> expressions)
            {
                Names = expressions.Select(expression => expression.Name).ToArray();
                for (int label = 0; label < Names.Length; label++)
                    Add(expressions[label], label);
            }

            public int Count
            {
                get { return Values.Count; }
            }

            public bool Moves(int column)
            {
                return Deviation(Enumerable.Range(0, Count).ToArray(), column) > Still;
            }

            public double Mean(int[] which, int column)
            {
                double sum = 0;
                foreach (int sample in which)
                    sum += Values[sample][column];
                return sum / which.Length;
            }

            public double Deviation(int[] which, int column)
            {
                double mean = Mean(which, column), sum = 0;
                foreach (int sample in which)
                    sum += (Values[sample][column] - mean) * (Values[sample][column] - mean);
                return Math.Sqrt(sum / which.Length);
            }

            private void Add(RecordedExpression expression, int label)
            {
                List<float[]> samples = expression.Recordings.SelectMany(recording => recording.Samples).ToList();
                int count = Math.Min(samples.Count, LearntFrom);
                for (int number = 0; number < count; number++)
                {
                    int chosen = (int)Math.Round((double)number * (samples.Count - 1) / (count - 1));
                    Values.Add(samples[chosen]);
                    // Of all recordings one after the other: some may be too short to be in each quarter.
                    Quarters.Add(chosen * Blocks / samples.Count % ExpressionTrainer.Quarters);
                    Labels.Add(label);
                }
            }
        }
    }
}
