using UnityEngine;

/// Random input of the stand-in's mathematics and what comes out of it.
public static class MathDriver
{
    static readonly System.Random random = new System.Random(5);

    public static int Run(string[] arguments)
    {
        for (int i = 0; i < 200; i++)
        {
            Vector3 angles = Any(180), other = Any(180), point = Any(3), scale = Any(1) + 2 * Vector3.one;
            Quaternion a = Quaternion.Euler(angles), b = Quaternion.Euler(other), eulerAgain = Quaternion.Euler(a.eulerAngles);
            float share = (float)random.NextDouble(), angle;
            Vector3 axis;
            a.ToAngleAxis(out angle, out axis);
            var above = new GameObject("above").transform;
            var below = new GameObject("below").transform;
            above.localPosition = other / 100;
            above.localRotation = b;
            above.localScale = scale;
            below.SetParent(above, false);
            below.localPosition = point;
            below.localRotation = a;
            Vector3 world = below.position;
            Quaternion turn = below.rotation;
            below.SetParent(null, true);
            Json.Print(new
            {
                angles, other, point, scale, share, a, b, turned = a * point, product = a * b, inverse = Quaternion.Inverse(a),
                between = Quaternion.Slerp(a, b, share), apart = Quaternion.Angle(a, b), eulerAgain, angle, axis,
                look = Quaternion.LookRotation(point, other), world, turn, worldAlone = below.position,
                turnAlone = below.rotation, again = above.InverseTransformPoint(world),
                matrix = Matrix4x4.TRS(other / 100, b, scale).MultiplyPoint3x4(point),
            });
        }
        return 0;
    }

    static Vector3 Any(float most) { return new Vector3(Any1(most), Any1(most), Any1(most)); }

    static float Any1(float most) { return (float)(2 * random.NextDouble() - 1) * most; }
}
