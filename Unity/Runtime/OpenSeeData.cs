using System;
using UnityEngine;

namespace OpenSee
{
    public partial class OpenSee
    {
        /// <summary>
        /// What one datagram said of one face. Nothing changes it once it is made, so that it may be kept and compared.
        /// Axes are Unity's, as the camera sees the person: x to the picture's right, y up, z away from the camera. A
        /// head that looks into the camera looks along -z. "Right" and "left" are the person's own.
        /// </summary>
        [Serializable]
        public class OpenSeeData
        {
            /// <summary>Points in the picture: 66 landmarks, right pupil, left pupil.</summary>
            public const int PointCount = 68;
            /// <summary>Points in 3D: the same, then the centres of the right and the left eyeball.</summary>
            public const int Point3DCount = PointCount + 2;
            /// <summary>Bytes of a face's record.</summary>
            public const int RecordSize = 1785;

            /// <summary>When the picture was taken, Unix seconds by the tracker's clock.</summary>
            public double time;
            /// <summary>The face's number. It is used again after its face was lost.</summary>
            public int id;
            /// <summary>Width and height of the tracked picture, pixels.</summary>
            public Vector2 cameraResolution;
            /// <summary>0 closed to 1 open; both exactly 1 also when it is not known.</summary>
            public float rightEyeOpen;
            /// <summary>0 closed to 1 open; both exactly 1 also when it is not known.</summary>
            public float leftEyeOpen;
            /// <summary>Turns -z to where the eye looks, seen from the head; identity is straight ahead.</summary>
            public Quaternion rightGaze;
            /// <summary>Turns -z to where the eye looks, seen from the head; identity is straight ahead.</summary>
            public Quaternion leftGaze;
            /// <summary>Whether the 3D points and the head's pose are known.</summary>
            public bool got3DPoints;
            /// <summary>Error of the 3D fit, pixels. See <see cref="OpenSee.maxFit3DError"/>.</summary>
            public float fit3DError;
            /// <summary>The head's angles, degrees: 0 0 0 looks into the camera, x up, y to the person's own right, z
            /// with the crown to the own right. They are those of a turn about x first, then y, then z, while
            /// Unity's are of z, x, y: where several are large, take <see cref="headRotation"/>.</summary>
            public Vector3 rotation;
            /// <summary>The head's place before the camera, in units of the face model: the outer corners of the eyes
            /// are 0.63 apart. Its movement counts: take a neutral place first.</summary>
            public Vector3 translation;
            /// <summary>The head's turn as it was sent: x, y, z, w.</summary>
            public Quaternion rawQuaternion;
            /// <summary>The Euler angles as they were sent, but for the sign of y.</summary>
            public Vector3 rawEuler;
            /// <summary>How sure the tracker is of each point, 0 to 1.</summary>
            public float[] confidence;
            /// <summary>Places in the picture, pixels, from its upper left corner: x right, y down.</summary>
            public Vector2[] points;
            /// <summary>The face without the head's turn: x to the person's right, y up, z into the head.</summary>
            public Vector3[] points3D;
            /// <summary>What eyes, brows and mouth do.</summary>
            public OpenSeeFeatures features;

            /// <summary>The head's turn, exactly: identity looks into the camera, along -z.</summary>
            public Quaternion headRotation
            {
                get
                {
                    return Quaternion.AngleAxis(rotation.z, Vector3.forward)
                        * Quaternion.AngleAxis(rotation.y, Vector3.up) * Quaternion.AngleAxis(rotation.x, Vector3.right);
                }
            }

            /// <summary>Each from -1 to 1, where 0 is the person's usual face; see docs/packet.md of the tracker.</summary>
            [Serializable]
            public class OpenSeeFeatures
            {
                /// <summary>-1 shut, 1 wide open.</summary>
                public float EyeLeft, EyeRight;
                /// <summary>1: inner end high and outer end low.</summary>
                public float EyebrowSteepnessLeft;
                /// <summary>-1 low, 1 high.</summary>
                public float EyebrowUpDownLeft;
                /// <summary>-1 flat, 1 arched.</summary>
                public float EyebrowQuirkLeft;
                /// <summary>1: inner end high and outer end low.</summary>
                public float EyebrowSteepnessRight;
                /// <summary>-1 low, 1 high.</summary>
                public float EyebrowUpDownRight;
                /// <summary>-1 flat, 1 arched.</summary>
                public float EyebrowQuirkRight;
                /// <summary>-1: the corner of the mouth is high, as in a smile; 1: low.</summary>
                public float MouthCornerUpDownLeft;
                /// <summary>-1: towards the middle; 1: outwards.</summary>
                public float MouthCornerInOutLeft;
                /// <summary>-1: the corner of the mouth is high, as in a smile; 1: low.</summary>
                public float MouthCornerUpDownRight;
                /// <summary>-1: towards the middle; 1: outwards.</summary>
                public float MouthCornerInOutRight;
                /// <summary>0 shut, 1 open.</summary>
                public float MouthOpen;
                /// <summary>-1 narrow, 1 wide.</summary>
                public float MouthWide;
            }

            /// <summary>
            /// Reads one record of a datagram, see docs/packet.md of the tracker. Null when a number in it is not
            /// finite, which the tracker never sends.
            /// </summary>
            internal static OpenSeeData Read(byte[] datagram, int offset)
            {
                var reader = new Reader { bytes = datagram, at = offset };
                var data = new OpenSeeData
                {
                    time = reader.Double(),
                    id = reader.Int(),
                    cameraResolution = reader.Vector2(),
                    rightEyeOpen = reader.Float(),
                    leftEyeOpen = reader.Float(),
                    got3DPoints = reader.Byte() != 0,
                    fit3DError = reader.Float(),
                    rawQuaternion = reader.Quaternion(),
                    rawEuler = reader.Vector3(),
                };
                Vector3 place = reader.Vector3();
                data.confidence = new float[PointCount];
                for (int i = 0; i < PointCount; i++) data.confidence[i] = reader.Float();
                data.points = new Vector2[PointCount];
                for (int i = 0; i < PointCount; i++) data.points[i] = reader.Vector2();
                data.points3D = new Vector3[Point3DCount];
                for (int i = 0; i < Point3DCount; i++) data.points3D[i] = reader.Vector3();
                data.features = reader.Features();
                if (reader.broken) return null;

                // The tracker's camera has the picture's rows as its x axis and stands in front of the head.
                Vector3 euler = data.rawEuler;
                data.rotation = new Vector3(-(euler.x + 180) % 360, euler.y, (euler.z - 90) % 360);
                data.translation = new Vector3(place.y, place.x, -place.z);
                data.rightGaze = Gaze(data.points3D[68], data.points3D[66]);
                data.leftGaze = Gaze(data.points3D[69], data.points3D[67]);
                return data;
            }

            /// The turn of an eye whose ball's centre and pupil are here, in axes as the camera sees them.
            static Quaternion Gaze(Vector3 centre, Vector3 pupil)
            {
                Vector3 back = centre - pupil;
                back.x = -back.x;
                float length = back.magnitude;
                if (!(length > 1e-6f) || float.IsInfinity(length)) return Quaternion.identity;
                return Quaternion.LookRotation(back / length, Vector3.up);
            }

            /// Takes one number after another out of a record: little-endian, as every machine that runs Unity.
            struct Reader
            {
                internal byte[] bytes;
                internal int at;
                internal bool broken;

                internal byte Byte() { return bytes[at++]; }

                internal int Int()
                {
                    at += 4;
                    return BitConverter.ToInt32(bytes, at - 4);
                }

                internal double Double()
                {
                    double value = BitConverter.ToDouble(bytes, at);
                    at += 8;
                    broken |= double.IsNaN(value) || double.IsInfinity(value);
                    return value;
                }

                internal float Float()
                {
                    float value = BitConverter.ToSingle(bytes, at);
                    at += 4;
                    broken |= float.IsNaN(value) || float.IsInfinity(value);
                    return value;
                }

                internal Vector2 Vector2()
                {
                    float x = Float();
                    return new Vector2(x, Float());
                }

                /// The packet's y axes point down or to the left, Unity's the other way.
                internal Vector3 Vector3()
                {
                    float x = Float(), y = Float();
                    return new Vector3(x, -y, Float());
                }

                internal Quaternion Quaternion()
                {
                    float x = Float(), y = Float(), z = Float();
                    return new Quaternion(x, y, z, Float());
                }

                internal OpenSeeFeatures Features()
                {
                    return new OpenSeeFeatures  // in the order of the packet
                    {
                        EyeLeft = Float(),
                        EyeRight = Float(),
                        EyebrowSteepnessLeft = Float(),
                        EyebrowUpDownLeft = Float(),
                        EyebrowQuirkLeft = Float(),
                        EyebrowSteepnessRight = Float(),
                        EyebrowUpDownRight = Float(),
                        EyebrowQuirkRight = Float(),
                        MouthCornerUpDownLeft = Float(),
                        MouthCornerInOutLeft = Float(),
                        MouthCornerUpDownRight = Float(),
                        MouthCornerInOutRight = Float(),
                        MouthOpen = Float(),
                        MouthWide = Float(),
                    };
                }
            }
        }
    }
}
