using UnityEngine;

namespace OpenSee
{
    /// <summary>
    /// Receives what the tracker sends. Other components ask it for a face; it asks nothing of them.
    /// </summary>
    [AddComponentMenu("OpenSeeFace/OpenSee")]
    [DefaultExecutionOrder(-100)]  // before those that ask it in the same frame
    public partial class OpenSee : MonoBehaviour
    {
        [Header("Network")]
        [Tooltip("The address of this computer to listen at. 127.0.0.1 hears this computer only, 0.0.0.0 others too.")]
        public string listenAddress = "127.0.0.1";
        [Tooltip("The UDP port to listen at; the tracker's --port. 0: any free one, which is then entered here.")]
        public int listenPort = 11573;

        [Header("What has come")]
        [Tooltip("Datagrams with tracking data so far.")]
        public int receivedPackets;
        [Tooltip("The newest data of each face, by its number. A face that is lost keeps what was last heard of it.")]
        public OpenSeeData[] trackingData = new OpenSeeData[0];
        [Tooltip("Whether the port is open.")]
        public bool listening;

        [Header("What is good enough")]
        [Tooltip("The pose of a face whose 3D fit has a larger error than this is not to be used.")]
        public float maxFit3DError = 100;

        readonly HeardFaces heard = new HeardFaces();
        ListeningPort port;

        /// <summary>What was last heard of a face, or null when nothing was.</summary>
        /// <param name="faceId">The face's number, as sent.</param>
        public OpenSeeData GetOpenSeeData(int faceId)
        {
            OpenSeeData[] faces = trackingData;
            if (faces == null) return null;
            foreach (OpenSeeData face in faces)
                if (face != null && face.id == faceId) return face;
            return null;
        }

        /// <summary>
        /// Opens the port named by <see cref="listenAddress"/> and <see cref="listenPort"/> anew. It happens by itself
        /// when the component is switched on and when one of them is changed.
        /// </summary>
        /// <returns>Whether it is open now; if not, it is tried again every second.</returns>
        public bool Listen()
        {
            if (port == null) port = new ListeningPort(this, heard.Take);
            listening = port.Open(listenAddress, ref listenPort);
            return listening;
        }

        /// <summary>One that is in the scene, or null; for components whose own is not named.</summary>
        public static OpenSee Any()
        {
#if UNITY_2023_1_OR_NEWER
            return FindAnyObjectByType<OpenSee>();
#else
            return FindObjectOfType<OpenSee>();
#endif
        }

        void OnEnable() { Listen(); }

        void OnDisable()
        {
            port.Close();
            listening = false;
        }

        void Update()
        {
            listening = port.Keep(listenAddress, ref listenPort);
            receivedPackets = heard.Packets;
            if (receivedPackets > 0) trackingData = heard.Faces;
        }
    }
}
