// The player loop, the clock, the log and the attributes.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Reflection;

namespace UnityEngine
{
    /// The player loop, which a test drives frame by frame. Messages are found by name, as Unity does, private ones too.
    public static class Scene
    {
        static readonly List<MonoBehaviour> all = new List<MonoBehaviour>();

        public static IEnumerable<MonoBehaviour> Behaviours() { return all; }

        /// One frame that takes `seconds` of Unity's time; nothing waits.
        public static void Frame(float seconds)
        {
            Time.deltaTime = Time.unscaledDeltaTime = seconds;
            Time.exact += seconds;
            Time.frameCount++;
            foreach (MonoBehaviour one in Active())
                if (!one.started) { one.started = true; Call(one, "Start"); }
            foreach (MonoBehaviour one in Active()) if (one.started) Call(one, "Update");
            foreach (MonoBehaviour one in Active()) if (one.started) Call(one, "LateUpdate");
        }

        /// The player closes.
        public static void Quit()
        {
            foreach (MonoBehaviour one in Active()) Call(one, "OnApplicationQuit");
            foreach (MonoBehaviour one in all.ToArray()) Object.Destroy(one);
        }

        static MonoBehaviour[] Active() { return all.Where(one => one.enabledNow).ToArray(); }

        internal static void Begin(MonoBehaviour one)
        {
            if (ReferenceEquals(one, null)) return;
            all.Add(one);
            Refresh(one);
        }

        internal static void Refresh(MonoBehaviour one)
        {
            if (ReferenceEquals(one, null) || one.gone || ReferenceEquals(one.owner, null)) return;
            if (!one.awake && one.owner.activeInHierarchy) { one.awake = true; Call(one, "Awake"); }
            bool wanted = one.isActiveAndEnabled;
            if (wanted == one.enabledNow) return;
            one.enabledNow = wanted;
            Call(one, wanted ? "OnEnable" : "OnDisable");
        }

        internal static void End(MonoBehaviour one)
        {
            if (one.enabledNow) { one.enabledNow = false; Call(one, "OnDisable"); }
            if (one.awake) Call(one, "OnDestroy");
            all.Remove(one);
        }

        /// An exception in a message is logged and the loop goes on, as in Unity.
        internal static void Call(MonoBehaviour one, string message)
        {
            for (Type type = one.GetType(); type != typeof(MonoBehaviour); type = type.BaseType)
            {
                MethodInfo method = type.GetMethod(message, BindingFlags.Instance | BindingFlags.Public |
                    BindingFlags.NonPublic | BindingFlags.DeclaredOnly, null, Type.EmptyTypes, null);
                if (method == null) continue;
                try { method.Invoke(one, null); }
                catch (TargetInvocationException thrown) { Debug.LogException(thrown.InnerException); }
                return;
            }
        }
    }

    public static class Time
    {
        internal static double exact;
        public static float time { get { return (float)exact; } }
        public static float unscaledTime { get { return (float)exact; } }
        public static float realtimeSinceStartup { get { return (float)exact; } }
        public static float deltaTime { get; internal set; }
        public static float unscaledDeltaTime { get; internal set; }
        public static float fixedDeltaTime { get { return 0.02f; } }
        public static int frameCount { get; internal set; }
    }

    /// The console. Everything is kept for the tests to read; any thread may write.
    public static class Debug
    {
        public static readonly List<string> logs = new List<string>(), warnings = new List<string>();
        public static readonly List<string> errors = new List<string>();
        static void Add(List<string> list, object message) { lock (list) list.Add("" + message); }
        public static void Log(object message) { Add(logs, message); }
        public static void Log(object message, Object context) { Add(logs, message); }
        public static void LogWarning(object message) { Add(warnings, message); }
        public static void LogWarning(object message, Object context) { Add(warnings, message); }
        public static void LogError(object message) { Add(errors, message); }
        public static void LogError(object message, Object context) { Add(errors, message); }
        public static void LogException(Exception thrown) { Add(errors, thrown); }
        public static void LogException(Exception thrown, Object context) { Add(errors, thrown); }
    }

    public enum RuntimePlatform { OSXEditor = 0, OSXPlayer = 1, WindowsPlayer = 2, WindowsEditor = 7, LinuxPlayer = 13, LinuxEditor = 16 }

    public static class Application
    {
        public static string dataPath = ".", streamingAssetsPath = ".", persistentDataPath = ".";
        public static RuntimePlatform platform { get { return RuntimePlatform.LinuxPlayer; } }
        public static bool isPlaying { get { return true; } }
        public static bool isEditor { get { return false; } }
        public static bool runInBackground { get; set; }
    }

    [AttributeUsage(AttributeTargets.Field)] public class SerializeField : Attribute { }
    [AttributeUsage(AttributeTargets.Field)] public class HideInInspector : Attribute { }
    [AttributeUsage(AttributeTargets.Field)] public class TextAreaAttribute : Attribute { }
    [AttributeUsage(AttributeTargets.Field)]
    public class TooltipAttribute : Attribute { public TooltipAttribute(string text) { } }
    [AttributeUsage(AttributeTargets.Field, AllowMultiple = true)]
    public class HeaderAttribute : Attribute { public HeaderAttribute(string text) { } }
    [AttributeUsage(AttributeTargets.Field)]
    public class RangeAttribute : Attribute { public RangeAttribute(float low, float high) { } }
    [AttributeUsage(AttributeTargets.Field)]
    public class MinAttribute : Attribute { public MinAttribute(float low) { } }
    [AttributeUsage(AttributeTargets.Class)] public class DisallowMultipleComponent : Attribute { }
    [AttributeUsage(AttributeTargets.Class)]
    public class DefaultExecutionOrder : Attribute { public DefaultExecutionOrder(int order) { } }
    [AttributeUsage(AttributeTargets.Class)]
    public class AddComponentMenu : Attribute { public AddComponentMenu(string name) { } }
    [AttributeUsage(AttributeTargets.Class)]
    public class HelpURLAttribute : Attribute { public HelpURLAttribute(string url) { } }
    [AttributeUsage(AttributeTargets.Method)]
    public class ContextMenu : Attribute { public ContextMenu(string name) { } }
    [AttributeUsage(AttributeTargets.Class, AllowMultiple = true)]
    public class RequireComponent : Attribute
    {
        public readonly Type kind;
        public RequireComponent(Type kind) { this.kind = kind; }
    }
}
