using OpenSee;
using UnityEngine;

/// <summary>
/// The tracked points before the camera. Put it on an empty object in a new scene and press Play; start the tracker,
/// or name it here to have it started.
/// </summary>
public class ShowPointsSample : MonoBehaviour
{
    [Tooltip("What receives; made here when there is none.")]
    public OpenSee.OpenSee openSee;
    [Tooltip("The tracker's program; empty: it is started by hand.")]
    public string exePath = "";
    [Tooltip("The camera's number.")]
    public int cameraIndex;
    [Tooltip("A video to track instead.")]
    public string videoPath = "";

    void Start()
    {
        if (openSee == null) openSee = gameObject.AddComponent<OpenSee.OpenSee>();
        if (exePath != "")
        {
            var launcher = gameObject.AddComponent<OpenSeeLauncher>();
            launcher.openSeeTarget = openSee;
            launcher.exePath = exePath;
            launcher.cameraIndex = cameraIndex;
            launcher.videoPath = videoPath;
            launcher.StartTracker();
        }
        // A new scene's camera is at (0, 1, -10) and looks along z.
        transform.position = new Vector3(0, 1, -7);
        var points = gameObject.AddComponent<OpenSeeShowPoints>();
        points.openSee = openSee;
        points.applyRotation = true;
        points.showLines = true;
    }
}
