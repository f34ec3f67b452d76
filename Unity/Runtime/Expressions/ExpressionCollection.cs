using System;
using System.Collections.Generic;

namespace OpenSee
{
    /// <summary>Expressions can't be read, recorded or trained as was asked for; the message is one sentence.</summary>
    public sealed class ExpressionException : Exception
    {
        /// <param name="message">One sentence for the user.</param>
        public ExpressionException(string message) : base(message)
        {
        }
    }

    /// <summary>What was recorded at one go.</summary>
    public sealed class ExpressionRecording
    {
        /// <summary>Faces in the order of time, each with the columns of <see cref="ExpressionColumns"/>.</summary>
        public List<float[]> Samples = new List<float[]>();
        /// <summary>How long it took.</summary>
        public double Seconds;
    }

    /// <summary>One expression: its name and its recordings.</summary>
    public sealed class RecordedExpression
    {
        /// <summary>As it was given; see <see cref="ExpressionCollection.CheckName"/>.</summary>
        public string Name;
        /// <summary>In the order of their making.</summary>
        public List<ExpressionRecording> Recordings = new List<ExpressionRecording>();

        /// <summary>How many samples it has.</summary>
        public int Count
        {
            get
            {
                int count = 0;
                foreach (ExpressionRecording recording in Recordings)
                    count += recording.Samples.Count;
                return count;
            }
        }
    }

    /// <summary>
    /// A person's expressions: what was recorded, and what was trained with it. <see cref="ExpressionFile"/> reads and
    /// writes it.
    /// </summary>
    public sealed class ExpressionCollection
    {
        /// <summary>How many expressions there may be.</summary>
        public const int MostClasses = 10;
        /// <summary>How many samples each of them may have.</summary>
        public const int MostSamples = 3000;
        /// <summary>How many support vectors a classifier may have.</summary>
        public const int MostSupport = 10000;
        /// <summary>Characters of a name at the most.</summary>
        public const int LongestName = 32;
        /// <summary>What the answer is called that is none of the expressions, which none of them may be called.</summary>
        public const string None = "none";

        /// <summary>In the order in which they were first recorded.</summary>
        public List<RecordedExpression> Expressions = new List<RecordedExpression>();
        /// <summary>What was trained, best first: with shapes, and without.</summary>
        public List<ExpressionClassifier> Classifiers = new List<ExpressionClassifier>();

        /// <summary>The expression of that name, however it is capitalised; null if there is none.</summary>
        public RecordedExpression Find(string name)
        {
            return Expressions.Find(expression => SameName(expression.Name, name));
        }

        /// <summary>The expression of that name, which is added if it is not there.</summary>
        /// <exception cref="ExpressionException">As <see cref="CheckRoom"/>.</exception>
        public RecordedExpression Take(string name)
        {
            CheckRoom(name);
            RecordedExpression there = Find(name);
            if (there == null)
                Expressions.Add(there = new RecordedExpression { Name = name });
            return there;
        }

        /// <summary>Throws when nothing can be recorded of that name.</summary>
        /// <exception cref="ExpressionException">
        /// The name is none, is another's but for its capitals, or there is no room for more.
        /// </exception>
        public void CheckRoom(string name)
        {
            CheckName(name);
            RecordedExpression there = Find(name);
            if (there == null && Expressions.Count >= MostClasses)
                throw new ExpressionException("There are " + MostClasses + " expressions already, which is the most.");
            if (there != null && there.Name != name)
                throw new ExpressionException("There is an expression '" + there.Name + "' already; '" + name
                    + "' would be another of its name.");
            if (there != null && there.Count >= MostSamples)
                throw new ExpressionException("'" + name + "' has " + there.Count
                    + " samples, which is the most: clear it first.");
        }

        /// <summary>The best classifier for faces with or without blend shapes; null when there is none.</summary>
        public ExpressionClassifier Classifier(bool shapes)
        {
            return Classifiers.Find(classifier => shapes || !classifier.NeedsShapes);
        }

        /// <summary>Throws when an expression can't have that name.</summary>
        /// <exception cref="ExpressionException">It can't.</exception>
        public static void CheckName(string name)
        {
            bool good = !string.IsNullOrEmpty(name) && name == name.Trim();
            int length = 0;
            for (int at = 0; good && at < name.Length; at += char.IsSurrogatePair(name, at) ? 2 : 1, length++)
                good = char.IsLetter(name, at) || char.IsNumber(name, at) || " _-".IndexOf(name[at]) >= 0;
            if (!good || length > LongestName)
                throw new ExpressionException("'" + name + "' is no name: it has 1 to " + LongestName
                    + " letters, digits, spaces, _ or -, no space at an end.");
            if (SameName(name, None))
                throw new ExpressionException("'" + name
                    + "' is what the answer is called that is none of the expressions.");
        }

        /// <summary>One with the same recordings, which no longer follows this one.</summary>
        internal ExpressionCollection Copy()
        {
            return new ExpressionCollection
            {
                Expressions = Expressions.ConvertAll(expression => new RecordedExpression
                {
                    Name = expression.Name,
                    Recordings = new List<ExpressionRecording>(expression.Recordings),
                }),
                Classifiers = new List<ExpressionClassifier>(Classifiers),
            };
        }

        internal static bool SameName(string one, string other)
        {
            return string.Equals(one, other, StringComparison.OrdinalIgnoreCase);
        }
    }
}
