using System.Collections.Generic;
using UnityEngine;

namespace OpenSee
{
    /// <summary>
    /// Draws a face's points as spheres below this object, from red to green as the tracker is sure of them, and cyan
    /// where it is not, or when the face is lost. The face looks along -z, at Unity's first camera.
    /// </summary>
    [AddComponentMenu("OpenSeeFace/OpenSeeShowPoints")]
    public class OpenSeeShowPoints : MonoBehaviour
    {
        [Header("What is shown")]
        [Tooltip("The component that receives; none: the first one there is.")]
        public OpenSee openSee;
        [Tooltip("The face's number.")]
        public int faceId;
        [Tooltip("Show 30 of the 66 points, those that the tracker's smallest model has.")]
        public bool only30Points;
        [Tooltip("On: the 3D points, in units of the face model. Off: where they are in the picture, 4 units wide.")]
        public bool show3DPoints = true;
        [Tooltip("Move the 3D points as the head moves.")]
        public bool applyTranslation;
        [Tooltip("Turn the 3D points as the head turns.")]
        public bool applyRotation;
        [Tooltip("Points that the tracker is less sure of are cyan.")]
        [Range(0, 1)] public float minConfidence = 0.2f;
        [Tooltip("Show pupils and, of the 3D points, eyeballs and where they look.")]
        public bool showGaze = true;

        [Header("How it looks")]
        [Tooltip("Of the spheres; none: Unity's own.")]
        public Material material;
        [Tooltip("Join the points of jaw, brows, nose, eyes and lips.")]
        public bool showLines;
        [Min(0)] public float lineWidth = 0.01f;
        [Tooltip("Of the lines; none: that of the spheres.")]
        public Material lineMaterial;
        public bool receiveShadows;

        const float SphereSize = 0.025f, GazeLength = 0.8f, PictureWidth = 4;

        static readonly HashSet<int> thirty = new HashSet<int>(Landmarks.Thirty);
        readonly Transform[] spheres = new Transform[OpenSee.OpenSeeData.Point3DCount];
        readonly Renderer[] looks = new Renderer[OpenSee.OpenSeeData.Point3DCount];
        readonly LineRenderer[] lines = new LineRenderer[Landmarks.Lines.Length];
        readonly LineRenderer[] rays = new LineRenderer[2];
        readonly Vector3[] places = new Vector3[OpenSee.OpenSeeData.Point3DCount];
        readonly List<Vector3> path = new List<Vector3>();
        Freshness freshness;
        OpenSee.OpenSeeData shown;

        void Start()
        {
            if (openSee == null) openSee = OpenSee.Any();
        }

        void Update()
        {
            OpenSee.OpenSeeData data = openSee == null ? null : openSee.GetOpenSeeData(faceId);
            freshness.IsNew(data, Time.unscaledTime);
            bool usable = data != null
                && (!show3DPoints || (data.got3DPoints && data.fit3DError <= openSee.maxFit3DError));
            if (usable) shown = data;  // of a pose that is of no use the last good one stays, in cyan
            if (shown == null) return;
            Place(shown);
            bool lost = !usable || freshness.IsLost(Time.unscaledTime);
            for (int i = 0; i < places.Length; i++) ShowSphere(i, lost);
            for (int i = 0; i < lines.Length; i++) ShowLine(i);
            for (int i = 0; i < rays.Length; i++) ShowRay(i);
        }

        /// Where each point goes, seen from this object.
        void Place(OpenSee.OpenSeeData data)
        {
            if (!show3DPoints)
            {
                float scale = PictureWidth / Mathf.Max(1, data.cameraResolution.x);
                for (int i = 0; i < data.points.Length; i++)
                {
                    Vector2 centred = data.points[i] - data.cameraResolution / 2;
                    places[i] = new Vector3(centred.x, -centred.y, 0) * scale;
                }
                return;
            }
            Matrix4x4 head = Matrix4x4.TRS(
                applyTranslation ? data.translation : Vector3.zero,
                applyRotation ? data.headRotation : Quaternion.identity, Vector3.one);
            for (int i = 0; i < places.Length; i++)
            {
                Vector3 point = data.points3D[i];
                places[i] = head.MultiplyPoint3x4(new Vector3(-point.x, point.y, point.z));
            }
        }

        bool IsVisible(int point)
        {
            if (point < Landmarks.Count) return !only30Points || thirty.Contains(point);
            return showGaze && (show3DPoints || point < Landmarks.RightEyeball);
        }

        void ShowSphere(int i, bool lost)
        {
            if (spheres[i] == null) MakeSphere(i);
            looks[i].enabled = IsVisible(i);
            looks[i].receiveShadows = receiveShadows;
            spheres[i].localPosition = places[i];
            // An eyeball's centre has no confidence of its own: that of its pupil.
            float sure = shown.confidence[i < Landmarks.RightEyeball ? i : i - 2];
            looks[i].material.color = lost || sure < minConfidence ? Color.cyan : Color.Lerp(Color.red, Color.green, sure);
        }

        void MakeSphere(int i)
        {
            GameObject made = GameObject.CreatePrimitive(PrimitiveType.Sphere);
            made.name = "Point " + i;
            made.layer = gameObject.layer;
            Destroy(made.GetComponent<Collider>());
            spheres[i] = made.transform;
            spheres[i].SetParent(transform, false);
            spheres[i].localScale = Vector3.one * SphereSize;
            looks[i] = made.GetComponent<Renderer>();
            if (material != null) looks[i].material = new Material(material);
        }

        void ShowLine(int i)
        {
            path.Clear();
            if (showLines)
            {
                Landmarks.Line line = Landmarks.Lines[i];
                foreach (int point in line.points)
                    if (IsVisible(point)) path.Add(places[point]);
                if (line.closed && path.Count > 2) path.Add(path[0]);
            }
            Draw(ref lines[i], "Line " + i);
        }

        void ShowRay(int eye)
        {
            path.Clear();
            if (showGaze && show3DPoints)
            {
                Quaternion gaze = eye == 0 ? shown.rightGaze : shown.leftGaze;
                Vector3 centre = places[Landmarks.RightEyeball + eye];
                Quaternion head = applyRotation ? shown.headRotation : Quaternion.identity;
                path.Add(centre);
                path.Add(centre + head * gaze * Vector3.back * GazeLength);
            }
            Draw(ref rays[eye], eye == 0 ? "Right gaze" : "Left gaze");
        }

        /// Draws `path`, or nothing when it has no two points.
        void Draw(ref LineRenderer line, string what)
        {
            bool any = path.Count > 1;
            if (line == null)
            {
                if (!any) return;
                var made = new GameObject(what);
                made.layer = gameObject.layer;
                made.transform.SetParent(transform, false);
                line = made.AddComponent<LineRenderer>();
                line.useWorldSpace = false;
                line.material = LineMaterial();
            }
            line.enabled = any;
            line.receiveShadows = receiveShadows;
            line.startWidth = line.endWidth = lineWidth;
            line.positionCount = path.Count;
            for (int i = 0; i < path.Count; i++) line.SetPosition(i, path[i]);
        }

        Material LineMaterial()
        {
            Material wanted = lineMaterial != null ? lineMaterial : material;
            return wanted != null ? new Material(wanted) : new Material(looks[0].material);
        }

        void OnDestroy()
        {
            foreach (Transform sphere in spheres) if (sphere != null) Destroy(sphere.gameObject);
            foreach (LineRenderer line in lines) if (line != null) Destroy(line.gameObject);
            foreach (LineRenderer ray in rays) if (ray != null) Destroy(ray.gameObject);
        }
    }
}
