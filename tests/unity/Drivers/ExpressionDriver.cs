using System.Globalization;
using System.Linq;
using System.Threading;
using OpenSee;
using UnityEngine;

/// OpenSeeExpression with what it listens to. `FIELD=VALUE…` are its fields; `shapes` gives it an OpenSeeShapes, too.
/// On standard input: `FIELD=VALUE` sets a field, `train`, `load FILE`, `save FILE`, `clear NAME` call its methods, `pass
/// SECONDS` lets time go by, `packet` waits for tracking data, `shapes` for a frame of shapes, `trained` for the end of a
/// training. After each of them what there is is printed.
public static class ExpressionDriver
{
    static OpenSee.OpenSee openSee;
    static OpenSeeShapes shapes;
    static OpenSeeExpression expression;

    public static int Run(string[] arguments)
    {
        var tracking = new GameObject("tracking");
        tracking.SetActive(false);  // so that only the ports are opened that are set here
        openSee = tracking.AddComponent<OpenSee.OpenSee>();
        openSee.listenPort = 0;
        if (arguments.Contains("shapes"))
        {
            shapes = tracking.AddComponent<OpenSeeShapes>();
            shapes.listenPort = 0;
        }
        tracking.SetActive(true);
        expression = new GameObject("expression").AddComponent<OpenSeeExpression>();
        expression.shapes = shapes;
        Fields.Set(expression, arguments.Where(argument => argument.Contains("=")).ToArray());
        Scene.Frame(0);
        Json.Print(new { port = openSee.listenPort, shapesPort = shapes == null ? 0 : shapes.listenPort });
        Print(0);
        Input.Listen();
        for (string line; (line = Input.Next()) != "quit";)
        {
            if (line == null) Thread.Sleep(0);
            else Print(Do(line));
        }
        return 0;
    }

    /// How many frames went by.
    static int Do(string line)
    {
        string[] words = line.Split(new[] { ' ' }, 2);
        int packets = openSee.receivedPackets, received = shapes == null ? 0 : shapes.receivedFrames, frames = 1;
        if (words[0] == "train") expression.TrainModel();
        else if (words[0] == "load") expression.LoadFromFile(words[1]);
        else if (words[0] == "save") expression.SaveToFile(words[1]);
        else if (words[0] == "clear") expression.ClearExpression(words[1]);
        else if (line.Contains("=")) Fields.Set(expression, new[] { line });
        Scene.Frame(words[0] == "pass" ? float.Parse(words[1], CultureInfo.InvariantCulture) : 0);
        while ((words[0] == "packet" && openSee.receivedPackets == packets)
               || (words[0] == "shapes" && shapes.receivedFrames == received)
               || (words[0] == "trained" && expression.training))
        {
            Thread.Sleep(0);
            Scene.Frame(0);
            frames++;
        }
        return frames;
    }

    static void Print(int frames)
    {
        OpenSee.OpenSee.OpenSeeData face = openSee.GetOpenSeeData(expression.faceId);
        float[,] confusion = expression.confusionMatrix;
        Json.Print(new
        {
            frames,
            expression.expression,
            expression.probabilities,
            expression.expressionNames,
            expression.recording,
            expression.percentRecorded,
            expression.training,
            expression.percentTrained,
            expression.accuracy,
            expression.confusionMatrixText,
            confusionMatrix = Enumerable.Range(0, confusion.GetLength(0))
                .Select(row => Enumerable.Range(0, confusion.GetLength(1)).Select(told => confusion[row, told]).ToArray()),
            recorded = expression.Collection.Expressions.Select(one => new { one.Name, one.Count }).ToArray(),
            columns = face == null ? null : ExpressionColumns.Of(face, shapes == null ? null : shapes.GetArkitShapes()),
            warnings = Debug.warnings.ToArray(),
            errors = Debug.errors.ToArray(),
        });
        Debug.warnings.Clear();
        Debug.errors.Clear();
    }
}
