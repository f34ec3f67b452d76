using System;
using System.Collections.Generic;
using System.Linq;

namespace OpenSee
{
    /// <summary>
    /// Expressions as the values of a JSON document, and back. Everything is checked, so that nothing is in a collection
    /// that could fail later; a FormatException says in a few words what is wrong.
    /// </summary>
    internal static class ExpressionJson
    {
        public static ExpressionCollection Collection(Dictionary<string, object> stored)
        {
            Demand(Whole(Member(stored, "columns"), 0, int.MaxValue) == ExpressionColumns.Count, "other columns");
            var collection = new ExpressionCollection();
            foreach (object entry in Items(stored, "expressions", ExpressionCollection.MostClasses))
                collection.Expressions.Add(Expression(Object(entry)));
            foreach (object entry in Items(stored, "classifiers", 2))
                collection.Classifiers.Add(Classifier(Object(entry)));
            Demand(AllDiffer(collection.Expressions.Select(expression => expression.Name)),
                "two expressions have one name");
            return collection;
        }

        public static Dictionary<string, object> Stored(ExpressionCollection collection)
        {
            return new Dictionary<string, object>
            {
                { "format", null }, // first in the file; filled in with the version
                { "version", null },
                { "columns", ExpressionColumns.Count },
                { "expressions", collection.Expressions.Select(Stored) },
                { "classifiers", collection.Classifiers.Select(Stored) },
            };
        }

        private static RecordedExpression Expression(Dictionary<string, object> stored)
        {
            var expression = new RecordedExpression { Name = Name(Member(stored, "name")) };
            foreach (object entry in Items(stored, "recordings", ExpressionCollection.MostSamples))
                expression.Recordings.Add(Recording(Object(entry)));
            Demand(expression.Count <= ExpressionCollection.MostSamples, "too many samples");
            return expression;
        }

        private static ExpressionRecording Recording(Dictionary<string, object> stored)
        {
            const int columns = ExpressionColumns.Count;
            int rows = -1;
            double[] numbers = Numbers(stored, "samples", ref rows, columns);
            var recording = new ExpressionRecording { Seconds = Number(Member(stored, "seconds")) };
            Demand(rows > 0 && recording.Seconds >= 0, "an empty recording");
            for (int row = 0; row < rows; row++)
            {
                var sample = new float[columns];
                int known = 0;
                for (int column = 0; column < columns; column++)
                {
                    sample[column] = (float)numbers[row * columns + column];
                    bool finite = IsFinite(sample[column]);
                    Demand(finite || column >= ExpressionColumns.Shapes, "a sample that is not finite");
                    if (finite && column >= ExpressionColumns.Shapes)
                        known++;
                }
                Demand(known == 0 || known == columns - ExpressionColumns.Shapes, "a sample with half of its shapes");
                recording.Samples.Add(sample);
            }
            return recording;
        }

        private static ExpressionClassifier Classifier(Dictionary<string, object> stored)
        {
            string[] names = Items(stored, "names", ExpressionCollection.MostClasses).Select(Name).ToArray();
            int[] columns = Items(stored, "columns", ExpressionColumns.Count)
                .Select(column => Whole(column, 0, ExpressionColumns.Count - 1)).ToArray();
            int classes = names.Length, width = columns.Length, pairs = classes * (classes - 1) / 2, count = -1;
            Demand(classes >= 2 && width >= 1 && AllDiffer(names), "a classifier of nothing");
            double[][] support = Rows(Finite(stored, "support", ref count, width), count);
            Demand(count >= 1 && count <= ExpressionCollection.MostSupport, "no support vectors, or too many");
            var classifier = new ExpressionClassifier
            {
                Names = names,
                Columns = columns,
                Gamma = Number(Member(stored, "gamma")),
                Support = support,
                Weights = Rows(Finite(stored, "weights", ref pairs, count), pairs),
                Mean = Finite(stored, "mean", ref width),
                Scale = Finite(stored, "scale", ref width),
                Bias = Finite(stored, "bias", ref pairs),
                Slope = Finite(stored, "slope", ref pairs),
                Offset = Finite(stored, "offset", ref pairs),
                Accuracy = Finite(stored, "accuracy", ref classes),
            };
            Demand(classifier.Gamma > 0 && classifier.Scale.All(scale => scale > 0), "a kernel that is none");
            return classifier;
        }

        private static object Stored(RecordedExpression expression)
        {
            return new Dictionary<string, object>
            {
                { "name", expression.Name },
                { "recordings", expression.Recordings.Select(Stored) },
            };
        }

        private static object Stored(ExpressionRecording recording)
        {
            int row = sizeof(float) * ExpressionColumns.Count;
            var bytes = new byte[row * recording.Samples.Count];
            for (int sample = 0; sample < recording.Samples.Count; sample++)
                Buffer.BlockCopy(recording.Samples[sample], 0, bytes, sample * row, row);
            return new Dictionary<string, object>
            {
                { "seconds", Math.Round(recording.Seconds, 3) },
                { "samples", Array(bytes, "float32", recording.Samples.Count, ExpressionColumns.Count) },
            };
        }

        private static object Stored(ExpressionClassifier classifier)
        {
            return new Dictionary<string, object>
            {
                { "names", classifier.Names },
                { "columns", classifier.Columns },
                { "gamma", classifier.Gamma },
                { "mean", Array(classifier.Mean) },
                { "scale", Array(classifier.Scale) },
                { "support", Array(classifier.Support) },
                { "weights", Array(classifier.Weights) },
                { "bias", Array(classifier.Bias) },
                { "slope", Array(classifier.Slope) },
                { "offset", Array(classifier.Offset) },
                { "accuracy", Array(classifier.Accuracy) },
            };
        }

        private static object Array(double[] numbers)
        {
            return Array(Bytes(numbers), "float64", numbers.Length);
        }

        private static object Array(double[][] rows)
        {
            return Array(Bytes(rows.SelectMany(row => row).ToArray()), "float64", rows.Length, rows[0].Length);
        }

        private static object Array(byte[] bytes, string type, params int[] shape)
        {
            return new Dictionary<string, object>
            {
                { "type", type },
                { "shape", shape },
                { "data", Convert.ToBase64String(bytes) },
            };
        }

        private static byte[] Bytes(double[] numbers)
        {
            var bytes = new byte[sizeof(double) * numbers.Length];
            Buffer.BlockCopy(numbers, 0, bytes, 0, bytes.Length); // little-endian, as every machine that runs Unity
            return bytes;
        }

        /// <summary>An array of finite numbers; see <see cref="Numbers"/>.</summary>
        private static double[] Finite(Dictionary<string, object> stored, string name, ref int rows, int columns = 0)
        {
            double[] numbers = Numbers(stored, name, ref rows, columns);
            Demand(numbers.All(number => IsFinite(number)), name + " that are not finite");
            return numbers;
        }

        /// <summary>The numbers of an array, row by row.</summary>
        /// <param name="rows">How many rows it must have; -1 for any number, which is told then.</param>
        /// <param name="columns">How many columns it must have; 0 for a list of `rows` numbers.</param>
        private static double[] Numbers(Dictionary<string, object> stored, string name, ref int rows, int columns)
        {
            Dictionary<string, object> array = Object(Member(stored, name));
            List<object> shape = Items(array, "shape", 2);
            Demand(shape.Count == (columns > 0 ? 2 : 1), name + " of another shape");
            int height = Whole(shape[0], 0, 1 << 20);
            Demand((rows < 0 || height == rows) && (columns == 0 || Whole(shape[1], 0, 1 << 20) == columns),
                name + " of another shape");
            rows = height;
            string type = Member(array, "type") as string;
            Demand(type == "float32" || type == "float64", name + " of another type");
            int size = type == "float32" ? sizeof(float) : sizeof(double);
            var data = Member(array, "data") as string;
            Demand(data != null, name + " without data");
            byte[] bytes = Convert.FromBase64String(data);
            long count = (long)rows * Math.Max(1, columns);
            Demand(bytes.LongLength == size * count, name + " of another length");
            var numbers = new double[count];
            if (size == sizeof(double))
                Buffer.BlockCopy(bytes, 0, numbers, 0, bytes.Length);
            else
                for (int at = 0; at < numbers.Length; at++)
                    numbers[at] = BitConverter.ToSingle(bytes, at * size);
            return numbers;
        }

        private static double[][] Rows(double[] numbers, int count)
        {
            int width = count > 0 ? numbers.Length / count : 0;
            var rows = new double[count][];
            for (int row = 0; row < count; row++)
            {
                rows[row] = new double[width];
                System.Array.Copy(numbers, row * width, rows[row], 0, width);
            }
            return rows;
        }

        private static object Member(Dictionary<string, object> stored, string name)
        {
            Demand(stored.TryGetValue(name, out object value), "no " + name);
            return value;
        }

        private static Dictionary<string, object> Object(object stored)
        {
            var members = stored as Dictionary<string, object>;
            Demand(members != null, "something that is no object");
            return members;
        }

        private static List<object> Items(Dictionary<string, object> stored, string name, int most)
        {
            var items = Member(stored, name) as List<object>;
            Demand(items != null && items.Count <= most, name + " that are no list, or too long");
            return items;
        }

        private static string Name(object stored)
        {
            var name = stored as string;
            Demand(name != null, "an expression without a name");
            try
            {
                ExpressionCollection.CheckName(name);
            }
            catch (ExpressionException)
            {
                throw new FormatException("an expression that can't be called so");
            }
            return name;
        }

        private static double Number(object stored)
        {
            Demand(stored is double, "a word where a number should be");
            return (double)stored;
        }

        private static int Whole(object stored, int low, int high)
        {
            double number = Number(stored);
            Demand(number >= low && number <= high && number == Math.Floor(number), "a number out of range");
            return (int)number;
        }

        private static bool AllDiffer(IEnumerable<string> names)
        {
            var seen = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
            return names.All(seen.Add);
        }

        private static bool IsFinite(double number)
        {
            return !double.IsNaN(number) && !double.IsInfinity(number);
        }

        private static void Demand(bool condition, string otherwise)
        {
            if (!condition)
                throw new FormatException(otherwise);
        }
    }
}
