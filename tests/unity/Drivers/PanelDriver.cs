using System.Threading;
using OpenSee;
using UnityEngine;

/// The sample panel for expressions. Prints the port. On standard input: `packet` waits for tracking data, any other line
/// is the button to press ("" for none); after each of them what the panel shows is printed.
public static class PanelDriver
{
    public static int Run(string[] arguments)
    {
        var thing = new GameObject("panel");
        thing.SetActive(false);
        var openSee = thing.AddComponent<OpenSee.OpenSee>();
        openSee.listenPort = 0;
        var taught = thing.AddComponent<OpenSeeExpression>();
        Fields.Set(taught, arguments);
        var panel = thing.AddComponent<ExpressionPanelSample>();
        panel.names = new[] { "neutral", "joy" };
        thing.SetActive(true);
        Scene.Frame(0);
        Json.Print(new { port = openSee.listenPort });
        Input.Listen();
        for (string line; (line = Input.Next()) != "quit";)
        {
            if (line == null)
            {
                Thread.Sleep(0);
                continue;
            }
            int packets = openSee.receivedPackets;
            GUILayout.pressed = line;
            do Scene.Frame(0);
            while ((line == "packet" && openSee.receivedPackets == packets) || (line == "Train" && Trains(panel, taught)));
            GUILayout.texts.Clear();
            panel.SendMessage("OnGUI");
            Scene.Frame(0);
            GUILayout.texts.Clear();
            panel.SendMessage("OnGUI");
            Json.Print(new { texts = GUILayout.texts.ToArray(), pressed = GUILayout.pressed == null });
        }
        return 0;
    }

    /// Presses the button; whether the training that follows goes on.
    static bool Trains(ExpressionPanelSample panel, OpenSeeExpression taught)
    {
        if (GUILayout.pressed != null) panel.SendMessage("OnGUI");
        return taught.training;
    }
}
