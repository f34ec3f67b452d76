using System.Collections.Generic;
using UnityEngine;

namespace OpenSee
{
    /// <summary>
    /// Moves the blend shapes of an avatar: receives shapes by name over the VMC protocol, as the tracker sends them
    /// with `--send vmc`, and sets the shapes of that name. ARKit's 52 are what the tracker has; other names are
    /// followed as well, such as those of expressions that it was taught.
    /// </summary>
    [AddComponentMenu("OpenSeeFace/OpenSeeShapes")]
    [DefaultExecutionOrder(-100)]  // before those that ask it in the same frame
    public class OpenSeeShapes : MonoBehaviour
    {
        [Header("Network")]
        [Tooltip("The address of this computer to listen at. 127.0.0.1 hears this computer only, 0.0.0.0 others too.")]
        public string listenAddress = "127.0.0.1";
        [Tooltip("The UDP port to listen at; that of the tracker's --send vmc. 0: any free one, which is then entered here.")]
        public int listenPort = 39539;

        [Header("Avatar")]
        [Tooltip("The meshes whose blend shapes are moved. None: those of this object and of all below it.")]
        public SkinnedMeshRenderer[] renderers = new SkinnedMeshRenderer[0];
        [Tooltip("The weight of a blend shape that is there in full.")]
        public float fullWeight = 100;
        [Tooltip("Let the face go back to neutral when nothing has come for half a second.")]
        public bool neutralWhenSilent = true;

        [Header("What has come")]
        [Tooltip("Whether the port is open.")]
        public bool listening;
        [Tooltip("Whether the tracker is heard and sees a face.")]
        public bool tracking;
        [Tooltip("Frames of shapes so far.")]
        public int receivedFrames;

        const float SilentSeconds = 0.5f, FadeSeconds = 0.5f;

        readonly ShapeValues values = new ShapeValues();
        readonly List<BlendShapes> meshes = new List<BlendShapes>();
        SkinnedMeshRenderer[] found;
        ListeningPort port;
        ShapeFrame frame = new ShapeFrame();
        string[] arkitNames;
        int[] arkitPlaces;
        float lastTime;
        bool neutral = true;

        /// <summary>The value of a shape, 0 to 1, by the name that is sent; false when none of that name came yet.</summary>
        public bool TryGetShape(string shape, out float value)
        {
            int place = System.Array.IndexOf(frame.Names, shape);
            value = place < 0 ? 0 : frame.Values[place] * Presence();
            return place >= 0;
        }

        /// <summary>
        /// The 52 shapes of ARKit, however their names are capitalised, in the order of
        /// <see cref="ShapeNames.Arkit"/>; null while no face is tracked or not all of them come.
        /// </summary>
        public float[] GetArkitShapes()
        {
            if (!tracking) return null;
            if (arkitNames != frame.Names)
            {
                arkitNames = frame.Names;
                arkitPlaces = ShapeNames.Match(ShapeNames.Arkit, arkitNames);
            }
            var shapes = new float[arkitPlaces.Length];
            for (int shape = 0; shape < shapes.Length; shape++)
            {
                if (arkitPlaces[shape] < 0) return null;
                shapes[shape] = frame.Values[arkitPlaces[shape]];
            }
            return shapes;
        }

        /// <summary>Looks again for meshes below this object, after they were changed.</summary>
        public void FindRenderers()
        {
            found = null;
        }

        void OnEnable()
        {
            if (port == null)
                port = new ListeningPort(this, (datagram, length) => OscReader.Read(datagram, length, values));
            listening = port.Open(listenAddress, ref listenPort);
        }

        void OnDisable()
        {
            port.Close();
            listening = tracking = false;
        }

        void Update()
        {
            listening = port.Keep(listenAddress, ref listenPort);
            ShapeFrame newest = values.Newest();
            if (newest.Number != receivedFrames) lastTime = Time.unscaledTime;
            frame = newest;
            receivedFrames = frame.Number;
            tracking = frame.Number > 0 && frame.Tracking && Time.unscaledTime - lastTime < SilentSeconds;
        }

        /// <summary>After animations, so that what is tracked wins.</summary>
        void LateUpdate()
        {
            float presence = receivedFrames > 0 ? Presence() : 0;
            if (presence <= 0 && neutral) return;  // others may animate the face
            neutral = presence <= 0;
            PrepareMeshes();
            foreach (BlendShapes mesh in meshes) mesh.Set(frame, fullWeight * presence);
        }

        /// <summary>1 while shapes come, falling to 0 when they no longer do.</summary>
        float Presence()
        {
            if (!neutralWhenSilent) return 1;
            return 1 - Mathf.Clamp01((Time.unscaledTime - lastTime - SilentSeconds) / FadeSeconds);
        }

        void PrepareMeshes()
        {
            bool named = renderers != null && renderers.Length > 0;
            if (!named && found == null) found = GetComponentsInChildren<SkinnedMeshRenderer>(true);
            SkinnedMeshRenderer[] wanted = named ? renderers : found;
            if (meshes.Count > wanted.Length) meshes.RemoveRange(wanted.Length, meshes.Count - wanted.Length);
            for (int mesh = 0; mesh < wanted.Length; mesh++)
            {
                if (mesh == meshes.Count) meshes.Add(new BlendShapes());
                meshes[mesh].Renderer = wanted[mesh];
            }
        }
    }
}
