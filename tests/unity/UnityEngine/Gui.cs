// What OnGUI draws, as text, and the buttons that a test presses.
using System.Collections.Generic;

namespace UnityEngine
{
    public struct Rect
    {
        public float x, y, width, height;
        public Rect(float x, float y, float width, float height)
        {
            this.x = x;
            this.y = y;
            this.width = width;
            this.height = height;
        }
    }

    public static class Screen
    {
        public static int width { get { return 1280; } }
        public static int height { get { return 720; } }
    }

    public static class GUILayout
    {
        /// What was drawn since the test cleared it, and the button that is pressed next.
        public static readonly List<string> texts = new List<string>();
        public static string pressed;
        public static void BeginArea(Rect area) { }
        public static void EndArea() { }
        public static void BeginHorizontal() { }
        public static void EndHorizontal() { }
        public static void Label(string text) { texts.Add(text); }
        public static bool Button(string text)
        {
            texts.Add("[" + text + "]");
            if (pressed != text) return false;
            pressed = null;
            return true;
        }
    }
}
