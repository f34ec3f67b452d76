namespace OpenSee
{
    /// <summary>
    /// A face as the numbers that tell expressions apart, the same wherever the head is: 70 3D points, 14 features,
    /// the turn of the head, 52 blend shapes; docs/expressions.md of the tracker describes them.
    /// </summary>
    public static class ExpressionColumns
    {
        /// <summary>Where the columns begin that hold features, and those behind them.</summary>
        public const int Features = 210, Rotation = 224, Shapes = 227;
        /// <summary>How many columns there are.</summary>
        public const int Count = 279;

        /// <summary>The columns of a face.</summary>
        /// <param name="face">What was received of it, with 3D points.</param>
        /// <param name="shapes">Its 52 shapes in the order of <see cref="ShapeNames.Arkit"/>, or null.</param>
        public static float[] Of(OpenSee.OpenSeeData face, float[] shapes)
        {
            var values = new float[Count];
            for (int point = 0; point < OpenSee.OpenSeeData.Point3DCount; point++)
            {
                values[3 * point] = face.points3D[point].x;
                values[3 * point + 1] = -face.points3D[point].y; // the record's y points down
                values[3 * point + 2] = face.points3D[point].z;
            }
            PutFeatures(values, face.features);
            PutTurn(values, face.rawQuaternion.x, face.rawQuaternion.y, face.rawQuaternion.z, face.rawQuaternion.w);
            for (int shape = 0; shape < ShapeNames.Arkit.Length; shape++)
                values[Shapes + shape] = shapes == null ? float.NaN : shapes[shape];
            return values;
        }

        private static void PutFeatures(float[] values, OpenSee.OpenSeeData.OpenSeeFeatures features)
        {
            int at = Features;
            values[at++] = features.EyeLeft;
            values[at++] = features.EyeRight;
            values[at++] = features.EyebrowSteepnessLeft;
            values[at++] = features.EyebrowUpDownLeft;
            values[at++] = features.EyebrowQuirkLeft;
            values[at++] = features.EyebrowSteepnessRight;
            values[at++] = features.EyebrowUpDownRight;
            values[at++] = features.EyebrowQuirkRight;
            values[at++] = features.MouthCornerUpDownLeft;
            values[at++] = features.MouthCornerInOutLeft;
            values[at++] = features.MouthCornerUpDownRight;
            values[at++] = features.MouthCornerInOutRight;
            values[at++] = features.MouthOpen;
            values[at] = features.MouthWide;
        }

        /// <summary>Against a head that looks into the camera, of which the quaternion (½, ½, 0, 0) · √2 is sent.</summary>
        private static void PutTurn(float[] values, double x, double y, double z, double w)
        {
            double half = System.Math.Sqrt(0.5) * (x + y < 0 ? -1 : 1);
            values[Rotation] = (float)((-w - z) * half);
            values[Rotation + 1] = (float)((z - w) * half);
            values[Rotation + 2] = (float)((x - y) * half);
        }
    }
}
