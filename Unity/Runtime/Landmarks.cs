namespace OpenSee
{
    /// <summary>Which of the tracker's points is what; docs/packet.md has the numbers.</summary>
    internal static class Landmarks
    {
        /// <summary>The landmarks that can be seen; behind them come pupils and eyeballs.</summary>
        internal const int Count = 66;
        internal const int RightPupil = 66, LeftPupil = 67, RightEyeball = 68, LeftEyeball = 69;

        /// <summary>One for each of the 30 points that model -1 has of its own.</summary>
        internal static readonly int[] Thirty =
        {
            0, 3, 6, 8, 10, 13, 16, 17, 19, 21, 22, 24, 26, 27, 30, 33, 36, 37, 39, 40, 42, 43, 45, 46, 50, 55, 58, 60, 62, 64,
        };

        /// <summary>Lines along the face: jaw, brows, nose, nostrils, eyes, outer and inner lips.</summary>
        internal static readonly Line[] Lines =
        {
            new Line(false, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16),
            new Line(false, 17, 18, 19, 20, 21),
            new Line(false, 22, 23, 24, 25, 26),
            new Line(false, 27, 28, 29, 30),
            new Line(false, 31, 32, 33, 34, 35),
            new Line(true, 36, 37, 38, 39, 40, 41),
            new Line(true, 42, 43, 44, 45, 46, 47),
            new Line(true, 58, 48, 49, 50, 51, 52, 62, 53, 54, 55, 56, 57),
            new Line(true, 58, 59, 60, 61, 62, 63, 64, 65),
        };

        internal sealed class Line
        {
            internal readonly bool closed;
            internal readonly int[] points;

            internal Line(bool closed, params int[] points)
            {
                this.closed = closed;
                this.points = points;
            }
        }
    }
}
