// A stand-in for UnityEngine, as far as the package uses it: same names, same meaning, none of the engine.
// Axes are Unity's: x right, y up, z forward, left-handed; angles in degrees.
using System;

namespace UnityEngine
{
    public struct Vector2 : IEquatable<Vector2>
    {
        public float x, y;
        public Vector2(float x, float y) { this.x = x; this.y = y; }
        public static Vector2 zero { get { return new Vector2(0, 0); } }
        public static Vector2 one { get { return new Vector2(1, 1); } }
        public float sqrMagnitude { get { return x * x + y * y; } }
        public float magnitude { get { return Mathf.Sqrt(sqrMagnitude); } }
        public static Vector2 operator +(Vector2 a, Vector2 b) { return new Vector2(a.x + b.x, a.y + b.y); }
        public static Vector2 operator -(Vector2 a, Vector2 b) { return new Vector2(a.x - b.x, a.y - b.y); }
        public static Vector2 operator *(Vector2 a, float s) { return new Vector2(a.x * s, a.y * s); }
        public static Vector2 operator /(Vector2 a, float s) { return new Vector2(a.x / s, a.y / s); }
        public static implicit operator Vector3(Vector2 a) { return new Vector3(a.x, a.y, 0); }
        public static implicit operator Vector2(Vector3 a) { return new Vector2(a.x, a.y); }
        public bool Equals(Vector2 other) { return x.Equals(other.x) && y.Equals(other.y); }
        public override bool Equals(object other) { return other is Vector2 && Equals((Vector2)other); }
        public override int GetHashCode() { return x.GetHashCode() ^ (y.GetHashCode() << 2); }
    }

    public struct Vector3 : IEquatable<Vector3>
    {
        public float x, y, z;
        public Vector3(float x, float y, float z) { this.x = x; this.y = y; this.z = z; }
        public Vector3(float x, float y) : this(x, y, 0) { }
        public static Vector3 zero { get { return new Vector3(0, 0, 0); } }
        public static Vector3 one { get { return new Vector3(1, 1, 1); } }
        public static Vector3 right { get { return new Vector3(1, 0, 0); } }
        public static Vector3 left { get { return new Vector3(-1, 0, 0); } }
        public static Vector3 up { get { return new Vector3(0, 1, 0); } }
        public static Vector3 down { get { return new Vector3(0, -1, 0); } }
        public static Vector3 forward { get { return new Vector3(0, 0, 1); } }
        public static Vector3 back { get { return new Vector3(0, 0, -1); } }
        public float sqrMagnitude { get { return x * x + y * y + z * z; } }
        public float magnitude { get { return Mathf.Sqrt(sqrMagnitude); } }
        public Vector3 normalized { get { float m = magnitude; return m > 1e-5f ? this / m : zero; } }
        public static float Dot(Vector3 a, Vector3 b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
        public static Vector3 Cross(Vector3 a, Vector3 b)
        {
            return new Vector3(a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x);
        }
        public static float Distance(Vector3 a, Vector3 b) { return (a - b).magnitude; }
        public static Vector3 Scale(Vector3 a, Vector3 b) { return new Vector3(a.x * b.x, a.y * b.y, a.z * b.z); }
        public static Vector3 LerpUnclamped(Vector3 a, Vector3 b, float t) { return a + (b - a) * t; }
        public static Vector3 Lerp(Vector3 a, Vector3 b, float t) { return LerpUnclamped(a, b, Mathf.Clamp01(t)); }
        public static Vector3 operator +(Vector3 a, Vector3 b) { return new Vector3(a.x + b.x, a.y + b.y, a.z + b.z); }
        public static Vector3 operator -(Vector3 a, Vector3 b) { return new Vector3(a.x - b.x, a.y - b.y, a.z - b.z); }
        public static Vector3 operator -(Vector3 a) { return new Vector3(-a.x, -a.y, -a.z); }
        public static Vector3 operator *(Vector3 a, float s) { return new Vector3(a.x * s, a.y * s, a.z * s); }
        public static Vector3 operator *(float s, Vector3 a) { return a * s; }
        public static Vector3 operator /(Vector3 a, float s) { return new Vector3(a.x / s, a.y / s, a.z / s); }
        // Unity's == is "nearly equal".
        public static bool operator ==(Vector3 a, Vector3 b) { return (a - b).sqrMagnitude < 1e-10f; }
        public static bool operator !=(Vector3 a, Vector3 b) { return !(a == b); }
        public bool Equals(Vector3 other) { return x.Equals(other.x) && y.Equals(other.y) && z.Equals(other.z); }
        public override bool Equals(object other) { return other is Vector3 && Equals((Vector3)other); }
        public override int GetHashCode() { return x.GetHashCode() ^ (y.GetHashCode() << 2) ^ (z.GetHashCode() >> 2); }
        public override string ToString() { return "(" + x + ", " + y + ", " + z + ")"; }
    }

    public struct Quaternion : IEquatable<Quaternion>
    {
        public float x, y, z, w;
        public Quaternion(float x, float y, float z, float w) { this.x = x; this.y = y; this.z = z; this.w = w; }
        public static Quaternion identity { get { return new Quaternion(0, 0, 0, 1); } }

        /// About z first, then x, then y, each about the world's axes.
        public static Quaternion Euler(float x, float y, float z)
        {
            return AngleAxis(y, Vector3.up) * AngleAxis(x, Vector3.right) * AngleAxis(z, Vector3.forward);
        }
        public static Quaternion Euler(Vector3 angles) { return Euler(angles.x, angles.y, angles.z); }

        public static Quaternion AngleAxis(float degrees, Vector3 axis)
        {
            float half = degrees * Mathf.Deg2Rad / 2;
            Vector3 n = axis.normalized * Mathf.Sin(half);
            return new Quaternion(n.x, n.y, n.z, Mathf.Cos(half));
        }

        /// Turns z to `forward` and y as near to `up` as it goes.
        public static Quaternion LookRotation(Vector3 forward, Vector3 up)
        {
            Vector3 f = forward.normalized;
            if (f == Vector3.zero) { Debug.Log("Look rotation viewing vector is zero"); return identity; }
            Vector3 r = Vector3.Cross(up, f).normalized;
            if (r == Vector3.zero) r = Vector3.Cross(Mathf.Abs(f.x) < 0.9f ? Vector3.right : Vector3.up, f).normalized;
            return OfAxes(r, Vector3.Cross(f, r), f);
        }
        public static Quaternion LookRotation(Vector3 forward) { return LookRotation(forward, Vector3.up); }

        /// Of the matrix with these columns.
        static Quaternion OfAxes(Vector3 r, Vector3 u, Vector3 f)
        {
            float trace = r.x + u.y + f.z;
            if (trace > 0)
            {
                float s = Mathf.Sqrt(trace + 1) * 2;
                return new Quaternion((u.z - f.y) / s, (f.x - r.z) / s, (r.y - u.x) / s, s / 4);
            }
            if (r.x > u.y && r.x > f.z)
            {
                float s = Mathf.Sqrt(1 + r.x - u.y - f.z) * 2;
                return new Quaternion(s / 4, (u.x + r.y) / s, (f.x + r.z) / s, (u.z - f.y) / s);
            }
            if (u.y > f.z)
            {
                float s = Mathf.Sqrt(1 + u.y - r.x - f.z) * 2;
                return new Quaternion((u.x + r.y) / s, s / 4, (f.y + u.z) / s, (f.x - r.z) / s);
            }
            float t = Mathf.Sqrt(1 + f.z - r.x - u.y) * 2;
            return new Quaternion((f.x + r.z) / t, (f.y + u.z) / t, t / 4, (r.y - u.x) / t);
        }

        public Vector3 eulerAngles
        {
            get
            {
                Vector3 f = this * Vector3.forward, u = this * Vector3.up, r = this * Vector3.right;
                float pitch = Mathf.Asin(Mathf.Clamp(-f.y, -1, 1));
                Vector3 angles = Mathf.Abs(f.y) > 0.999999f
                    ? new Vector3(pitch, Mathf.Atan2(-r.z, r.x), 0)
                    : new Vector3(pitch, Mathf.Atan2(f.x, f.z), Mathf.Atan2(r.y, u.y));
                angles = angles * Mathf.Rad2Deg;
                return new Vector3(Mathf.Repeat(angles.x, 360), Mathf.Repeat(angles.y, 360), Mathf.Repeat(angles.z, 360));
            }
        }

        public static float Dot(Quaternion a, Quaternion b) { return a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w; }
        public static Quaternion Inverse(Quaternion q) { return new Quaternion(-q.x, -q.y, -q.z, q.w); }
        public Quaternion normalized { get { return Normalize(this); } }
        public static Quaternion Normalize(Quaternion q)
        {
            float m = Mathf.Sqrt(Dot(q, q));
            return m < 1e-6f ? identity : new Quaternion(q.x / m, q.y / m, q.z / m, q.w / m);
        }
        public static float Angle(Quaternion a, Quaternion b)
        {
            float dot = Mathf.Min(Mathf.Abs(Dot(a, b)), 1);
            return dot > 1 - 1e-6f ? 0 : Mathf.Acos(dot) * 2 * Mathf.Rad2Deg;
        }
        public static Quaternion SlerpUnclamped(Quaternion a, Quaternion b, float t)
        {
            float dot = Dot(a, b);
            if (dot < 0) { b = new Quaternion(-b.x, -b.y, -b.z, -b.w); dot = -dot; }
            float from = 1 - t, to = t;
            if (dot < 0.9995f)
            {
                float angle = Mathf.Acos(dot), sine = Mathf.Sin(angle);
                from = Mathf.Sin(from * angle) / sine;
                to = Mathf.Sin(to * angle) / sine;
            }
            return Normalize(new Quaternion(a.x * from + b.x * to, a.y * from + b.y * to, a.z * from + b.z * to,
                                            a.w * from + b.w * to));
        }
        public static Quaternion Slerp(Quaternion a, Quaternion b, float t) { return SlerpUnclamped(a, b, Mathf.Clamp01(t)); }
        public void ToAngleAxis(out float angle, out Vector3 axis)
        {
            Quaternion q = Normalize(this);
            float sine = Mathf.Sqrt(Mathf.Max(0, 1 - q.w * q.w));
            angle = 2 * Mathf.Acos(Mathf.Clamp(q.w, -1, 1)) * Mathf.Rad2Deg;
            axis = sine < 1e-4f ? Vector3.right : new Vector3(q.x / sine, q.y / sine, q.z / sine);
        }

        public static Quaternion operator *(Quaternion a, Quaternion b)
        {
            return new Quaternion(a.w * b.x + a.x * b.w + a.y * b.z - a.z * b.y,
                                  a.w * b.y + a.y * b.w + a.z * b.x - a.x * b.z,
                                  a.w * b.z + a.z * b.w + a.x * b.y - a.y * b.x,
                                  a.w * b.w - a.x * b.x - a.y * b.y - a.z * b.z);
        }
        public static Vector3 operator *(Quaternion q, Vector3 v)
        {
            Vector3 u = new Vector3(q.x, q.y, q.z), t = 2 * Vector3.Cross(u, v);
            return v + q.w * t + Vector3.Cross(u, t);
        }
        public bool Equals(Quaternion o) { return x.Equals(o.x) && y.Equals(o.y) && z.Equals(o.z) && w.Equals(o.w); }
        public override bool Equals(object other) { return other is Quaternion && Equals((Quaternion)other); }
        public override int GetHashCode() { return x.GetHashCode() ^ y.GetHashCode() ^ z.GetHashCode() ^ w.GetHashCode(); }
    }

    public struct Pose
    {
        public Vector3 position;
        public Quaternion rotation;
        public Pose(Vector3 position, Quaternion rotation) { this.position = position; this.rotation = rotation; }
        public static Pose identity { get { return new Pose(Vector3.zero, Quaternion.identity); } }
    }

    public struct Matrix4x4
    {
        Vector3 place, scale;
        Quaternion turn;
        public static Matrix4x4 TRS(Vector3 place, Quaternion turn, Vector3 scale)
        {
            return new Matrix4x4 { place = place, turn = turn, scale = scale };
        }
        public Vector3 MultiplyPoint3x4(Vector3 point) { return place + turn * Vector3.Scale(scale, point); }
        public Vector3 MultiplyVector(Vector3 vector) { return turn * Vector3.Scale(scale, vector); }
    }

    public struct Color
    {
        public float r, g, b, a;
        public Color(float r, float g, float b, float a) { this.r = r; this.g = g; this.b = b; this.a = a; }
        public Color(float r, float g, float b) : this(r, g, b, 1) { }
        public static Color red { get { return new Color(1, 0, 0); } }
        public static Color green { get { return new Color(0, 1, 0); } }
        public static Color blue { get { return new Color(0, 0, 1); } }
        public static Color cyan { get { return new Color(0, 1, 1); } }
        public static Color white { get { return new Color(1, 1, 1); } }
        public static Color Lerp(Color a, Color b, float t)
        {
            t = Mathf.Clamp01(t);
            return new Color(a.r + (b.r - a.r) * t, a.g + (b.g - a.g) * t, a.b + (b.b - a.b) * t, a.a + (b.a - a.a) * t);
        }
    }

    public static class Mathf
    {
        public const float PI = (float)Math.PI, Deg2Rad = PI / 180, Rad2Deg = 180 / PI, Infinity = float.PositiveInfinity;
        public const float Epsilon = 1.401298E-45f;
        public static float Sqrt(float f) { return (float)Math.Sqrt(f); }
        public static float Sin(float f) { return (float)Math.Sin(f); }
        public static float Cos(float f) { return (float)Math.Cos(f); }
        public static float Asin(float f) { return (float)Math.Asin(f); }
        public static float Acos(float f) { return (float)Math.Acos(f); }
        public static float Atan2(float y, float x) { return (float)Math.Atan2(y, x); }
        public static float Exp(float f) { return (float)Math.Exp(f); }
        public static float Pow(float f, float p) { return (float)Math.Pow(f, p); }
        public static float Abs(float f) { return Math.Abs(f); }
        public static int Abs(int n) { return Math.Abs(n); }
        public static float Min(float a, float b) { return a < b ? a : b; }
        public static float Max(float a, float b) { return a > b ? a : b; }
        public static int Min(int a, int b) { return a < b ? a : b; }
        public static int Max(int a, int b) { return a > b ? a : b; }
        public static float Floor(float f) { return (float)Math.Floor(f); }
        public static float Round(float f) { return (float)Math.Round(f); }
        public static int RoundToInt(float f) { return (int)Math.Round(f); }
        public static float Clamp(float f, float low, float high) { return f < low ? low : f > high ? high : f; }
        public static int Clamp(int n, int low, int high) { return n < low ? low : n > high ? high : n; }
        public static float Clamp01(float f) { return Clamp(f, 0, 1); }
        public static float Lerp(float a, float b, float t) { return a + (b - a) * Clamp01(t); }
        public static float InverseLerp(float a, float b, float v) { return a == b ? 0 : Clamp01((v - a) / (b - a)); }
        public static float Repeat(float t, float length) { return Clamp(t - Floor(t / length) * length, 0, length); }
        public static float DeltaAngle(float from, float to)
        {
            float turn = Repeat(to - from, 360);
            return turn > 180 ? turn - 360 : turn;
        }
    }
}
