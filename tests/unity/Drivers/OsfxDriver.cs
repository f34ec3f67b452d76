using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using OpenSee;

/// Files of expressions, without a scene. `tell FILE SAMPLES` says what every classifier in it makes of samples (float32,
/// row by row); `train FILE OUT` trains and writes it all to OUT; `copy FILE OUT` reads and writes, `check FILE…` reads, and
/// both say what was wrong.
public static class OsfxDriver
{
    public static int Run(string[] arguments)
    {
        switch (arguments[0])
        {
            case "tell":
                Tell(ExpressionFile.Load(arguments[1]), File.ReadAllBytes(arguments[2]));
                break;
            case "train":
                Train(arguments[1], arguments[2]);
                break;
            case "copy":
                Attempt(() => ExpressionFile.Save(ExpressionFile.Load(arguments[1]), arguments[2]));
                break;
            case "check":
                foreach (string file in arguments.Skip(1)) Attempt(() => ExpressionFile.Load(file));
                break;
        }
        return 0;
    }

    static void Tell(ExpressionCollection collection, byte[] bytes)
    {
        var samples = new List<float[]>();
        for (int at = 0; at < bytes.Length; at += sizeof(float) * ExpressionColumns.Count)
        {
            samples.Add(new float[ExpressionColumns.Count]);
            Buffer.BlockCopy(bytes, at, samples.Last(), 0, sizeof(float) * ExpressionColumns.Count);
        }
        foreach (ExpressionClassifier classifier in collection.Classifiers)
            Json.Print(new
            {
                names = classifier.Names,
                shapes = classifier.NeedsShapes,
                decisions = samples.Select(classifier.Decisions).ToArray(),
                probabilities = samples.Select(classifier.Probabilities).ToArray(),
            });
    }

    static void Train(string path, string trained)
    {
        ExpressionCollection collection = ExpressionFile.Load(path);
        var steps = new List<float>();
        List<TrainedExpressions> results = ExpressionTrainer.Train(collection, steps.Add, () => false);
        collection.Classifiers = results.ConvertAll(result => result.Classifier);
        ExpressionFile.Save(collection, trained);
        foreach (TrainedExpressions result in results)
        {
            int classes = result.Classifier.Names.Length;
            Json.Print(new
            {
                names = result.Classifier.Names,
                accuracy = result.Classifier.Accuracy,
                confusion = Enumerable.Range(0, classes)
                    .Select(row => Enumerable.Range(0, classes).Select(told => result.Confusion[row, told]).ToArray()),
                steps,
            });
        }
    }

    /// Says what was wrong, or null.
    static void Attempt(Action action)
    {
        try
        {
            action();
            Json.Print(new { problem = (string)null });
        }
        catch (ExpressionException error)
        {
            Json.Print(new { problem = error.Message });
        }
    }
}
