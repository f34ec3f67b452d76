using OpenSee;
using UnityEngine;

/// <summary>
/// A panel in the game to teach expressions with: records, trains, saves, and says what it sees. Put it on an empty object
/// in a new scene and press Play; start the tracker. What is on an object already (OpenSee, OpenSeeExpression) is used.
/// </summary>
public class ExpressionPanelSample : MonoBehaviour
{
    [Tooltip("What to teach, up to ten.")]
    public string[] names = { "neutral", "smile", "angry", "surprised" };

    OpenSeeExpression taught;

    void Start()
    {
        var openSee = GetComponent<OpenSee.OpenSee>();
        if (openSee == null) openSee = gameObject.AddComponent<OpenSee.OpenSee>();
        taught = GetComponent<OpenSeeExpression>();
        if (taught == null) taught = gameObject.AddComponent<OpenSeeExpression>();
        if (taught.openSee == null) taught.openSee = openSee;
    }

    void OnGUI()
    {
        if (taught == null) return;
        GUILayout.BeginArea(new Rect(10, 10, 360, Screen.height - 20));
        GUILayout.Label("You look: " + taught.expression);
        foreach (string face in names) Row(face);
        if (GUILayout.Button(taught.training ? "Training: " + taught.percentTrained.ToString("0") + " %" : "Train")
            && !taught.training)
            taught.TrainModel();
        if (GUILayout.Button("Save")) taught.SaveFile();
        GUILayout.Label(taught.confusionMatrixText);
        GUILayout.EndArea();
    }

    void Row(string face)
    {
        bool now = taught.recording && taught.calibrationExpression == face;
        RecordedExpression recorded = taught.Collection.Find(face);
        string sure = Likely(face).ToString("0") + " %";
        GUILayout.BeginHorizontal();
        GUILayout.Label(face + ": " + (recorded == null ? 0 : recorded.Count) + " frames recorded, now " + sure);
        if (GUILayout.Button(now ? "Stop: " + taught.percentRecorded.ToString("0") + " %" : "Record " + face))
        {
            taught.StopRecording();
            taught.calibrationExpression = face;
            if (!now) taught.StartRecording();
        }
        if (GUILayout.Button("Clear " + face)) taught.ClearExpression(face);
        GUILayout.EndHorizontal();
    }

    float Likely(string face)
    {
        int number = System.Array.IndexOf(taught.expressionNames, face);
        return number < 0 ? 0 : 100 * taught.probabilities[number];
    }
}
