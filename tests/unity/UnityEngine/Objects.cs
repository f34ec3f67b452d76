// Objects, components and what a scene is made of.
using System;
using System.Collections.Generic;
using System.Linq;

namespace UnityEngine
{
    public class Object
    {
        public virtual string name { get; set; }
        internal bool gone;

        /// Destroyed objects equal null, as in Unity.
        public static bool operator ==(Object a, Object b)
        {
            bool noA = ReferenceEquals(a, null) || a.gone, noB = ReferenceEquals(b, null) || b.gone;
            return noA || noB ? noA && noB : ReferenceEquals(a, b);
        }
        public static bool operator !=(Object a, Object b) { return !(a == b); }
        public static implicit operator bool(Object a) { return a != null; }
        public override bool Equals(object other) { return this == (other as Object); }
        public override int GetHashCode() { return base.GetHashCode(); }

        /// Unity waits for the end of the frame; here it is at once.
        public static void Destroy(Object what)
        {
            if (what == null) return;
            var thing = what as GameObject;
            if (!ReferenceEquals(thing, null)) thing.Remove();
            else
            {
                var behaviour = what as MonoBehaviour;
                if (!ReferenceEquals(behaviour, null)) Scene.End(behaviour);
                what.gone = true;
            }
        }
        public static void DestroyImmediate(Object what) { Destroy(what); }
        public static T FindAnyObjectByType<T>() where T : Object { return FindObjectOfType<T>(); }
        public static T FindObjectOfType<T>() where T : Object { return Scene.Behaviours().OfType<T>().FirstOrDefault(); }
    }

    public class Component : Object
    {
        internal GameObject owner;
        public override string name
        {
            get { return owner.name; }
            set { owner.name = value; }
        }
        public GameObject gameObject { get { return owner; } }
        public Transform transform { get { return owner.transform; } }
        public T GetComponent<T>() { return owner.GetComponent<T>(); }
        public T GetComponentInChildren<T>() { return owner.GetComponentInChildren<T>(); }
        public T[] GetComponentsInChildren<T>(bool inactiveToo) { return owner.GetComponentsInChildren<T>(inactiveToo); }
        public void SendMessage(string message)
        {
            foreach (MonoBehaviour one in owner.GetComponents<MonoBehaviour>()) Scene.Call(one, message);
        }
    }

    public class Behaviour : Component
    {
        bool on = true;
        public bool enabled
        {
            get { return on; }
            set
            {
                if (on == value) return;
                on = value;
                Scene.Refresh(this as MonoBehaviour);
            }
        }
        public bool isActiveAndEnabled { get { return on && owner != null && owner.activeInHierarchy; } }
    }

    public class MonoBehaviour : Behaviour
    {
        internal bool awake, enabledNow, started;
    }

    public class ScriptableObject : Object { }

    public class GameObject : Object
    {
        readonly List<Component> components = new List<Component>();
        bool active = true;
        public Transform transform { get; private set; }
        public int layer;

        public GameObject(string name)
        {
            this.name = name;
            transform = new Transform { owner = this };
            components.Add(transform);
        }
        public GameObject() : this("New Game Object") { }
        public GameObject(string name, params Type[] kinds) : this(name) { foreach (Type kind in kinds) AddComponent(kind); }

        public bool activeSelf { get { return active; } }
        public bool activeInHierarchy
        {
            get { return active && (transform.parent == null || transform.parent.gameObject.activeInHierarchy); }
        }
        public void SetActive(bool value)
        {
            active = value;
            foreach (MonoBehaviour one in Scene.Behaviours().ToArray()) Scene.Refresh(one);
        }
        public Component AddComponent(Type kind)
        {
            foreach (RequireComponent needed in kind.GetCustomAttributes(typeof(RequireComponent), true))
                if (!components.Any(needed.kind.IsInstanceOfType)) AddComponent(needed.kind);
            var added = (Component)Activator.CreateInstance(kind);
            added.owner = this;
            components.Add(added);
            Scene.Begin(added as MonoBehaviour);
            return added;
        }
        public T AddComponent<T>() where T : Component { return (T)AddComponent(typeof(T)); }
        public T GetComponent<T>() { return components.Where(one => !one.gone).OfType<T>().FirstOrDefault(); }
        public T[] GetComponents<T>() { return components.Where(one => !one.gone).OfType<T>().ToArray(); }
        public T GetComponentInChildren<T>()
        {
            T found = GetComponent<T>();
            for (int i = 0; found == null && i < transform.childCount; i++)
                found = transform.GetChild(i).gameObject.GetComponentInChildren<T>();
            return found;
        }
        public T[] GetComponentsInChildren<T>(bool inactiveToo)
        {
            if (!inactiveToo && !activeInHierarchy) return new T[0];
            IEnumerable<T> below = transform.children.SelectMany(child => child.gameObject.GetComponentsInChildren<T>(inactiveToo));
            return components.Where(one => !one.gone).OfType<T>().Concat(below).ToArray();
        }
        public static GameObject CreatePrimitive(PrimitiveType kind)
        {
            var made = new GameObject(kind.ToString());
            made.AddComponent<Collider>();
            made.AddComponent<MeshRenderer>();
            return made;
        }
        internal void Remove()
        {
            foreach (Transform child in transform.children.ToArray()) child.gameObject.Remove();
            foreach (Component one in components.ToArray())
                if (!one.gone && !(one is Transform)) Destroy(one);
            transform.parent = null;
            transform.gone = gone = true;
        }
    }

    public class Transform : Component
    {
        internal readonly List<Transform> children = new List<Transform>();
        Transform above;
        public Vector3 localPosition = Vector3.zero, localScale = Vector3.one;
        public Quaternion localRotation = Quaternion.identity;

        public Transform parent
        {
            get { return above; }
            set { SetParent(value, true); }
        }
        public void SetParent(Transform value, bool stayInWorld)
        {
            Vector3 place = position;
            Quaternion turn = rotation;
            if (above != null) above.children.Remove(this);
            above = value;
            if (above != null) above.children.Add(this);
            if (stayInWorld) { position = place; rotation = turn; }
        }
        public int childCount { get { return children.Count; } }
        public Transform GetChild(int index) { return children[index]; }
        public Vector3 position
        {
            get { return above == null ? localPosition : above.TransformPoint(localPosition); }
            set { localPosition = above == null ? value : above.InverseTransformPoint(value); }
        }
        public Quaternion rotation
        {
            get { return above == null ? localRotation : above.rotation * localRotation; }
            set { localRotation = above == null ? value : Quaternion.Inverse(above.rotation) * value; }
        }
        public Vector3 localEulerAngles
        {
            get { return localRotation.eulerAngles; }
            set { localRotation = Quaternion.Euler(value); }
        }
        public Vector3 forward { get { return rotation * Vector3.forward; } }
        public Vector3 TransformPoint(Vector3 point)
        {
            Vector3 inParent = localPosition + localRotation * Vector3.Scale(localScale, point);
            return above == null ? inParent : above.TransformPoint(inParent);
        }
        public Vector3 InverseTransformPoint(Vector3 point)
        {
            Vector3 inParent = above == null ? point : above.InverseTransformPoint(point);
            Vector3 turned = Quaternion.Inverse(localRotation) * (inParent - localPosition);
            return new Vector3(turned.x / localScale.x, turned.y / localScale.y, turned.z / localScale.z);
        }
    }

    public enum PrimitiveType { Sphere, Capsule, Cylinder, Cube, Plane, Quad }
    public class Collider : Component { }
    public class Shader : Object
    {
        public static Shader Find(string name) { return new Shader { name = name }; }
    }
    public class Material : Object
    {
        public Color color = Color.white;
        public Material(Shader shader) { }
        public Material(Material other) { color = other.color; }
    }
    public class Renderer : Component
    {
        Material own;
        public bool enabled = true, receiveShadows = true;
        public Material sharedMaterial { get { return own; } set { own = value; } }
        public Material material
        {
            get { return own ?? (own = new Material((Shader)null)); }
            set { own = value; }
        }
    }
    public class MeshRenderer : Renderer { }
    public class LineRenderer : Renderer
    {
        Vector3[] points = new Vector3[0];
        public float startWidth, endWidth;
        public bool useWorldSpace = true, loop;
        public Color startColor = Color.white, endColor = Color.white;
        public int positionCount
        {
            get { return points.Length; }
            set { Array.Resize(ref points, value); }
        }
        public void SetPosition(int index, Vector3 point) { points[index] = point; }
        public Vector3 GetPosition(int index) { return points[index]; }
    }
    public class Mesh : Object
    {
        public readonly List<string> shapes = new List<string>();
        public int blendShapeCount { get { return shapes.Count; } }
        public string GetBlendShapeName(int index) { return shapes[index]; }
        public int GetBlendShapeIndex(string name) { return shapes.IndexOf(name); }
    }
    public class SkinnedMeshRenderer : Renderer
    {
        readonly Dictionary<int, float> weights = new Dictionary<int, float>();
        public Mesh sharedMesh;
        public void SetBlendShapeWeight(int index, float weight)
        {
            if (index < 0 || index >= sharedMesh.blendShapeCount) throw new ArgumentOutOfRangeException("index");
            weights[index] = weight;
        }
        public float GetBlendShapeWeight(int index) { return weights.ContainsKey(index) ? weights[index] : 0; }
    }
    public class TextAsset : Object
    {
        public readonly string text;
        public TextAsset(string text) { this.text = text; }
        public byte[] bytes { get { return System.Text.Encoding.UTF8.GetBytes(text); } }
    }
}
