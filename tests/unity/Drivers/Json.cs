// One JSON value a line, for pytest to read. Floats are written so that they are read back bit for bit.
using System;
using System.Collections;
using System.Globalization;
using System.Linq;
using System.Reflection;
using System.Text;
using UnityEngine;

public static class Json
{
    public static void Print(object value)
    {
        Console.WriteLine(Text(value));
        Console.Out.Flush();
    }

    public static string Text(object value)
    {
        if (value == null) return "null";
        if (value is bool) return (bool)value ? "true" : "false";
        if (value is string) return Quoted((string)value);
        if (value is float || value is double) return Number(Convert.ToDouble(value));
        if (value is IFormattable && value.GetType().IsPrimitive) return ((IFormattable)value).ToString(null, CultureInfo.InvariantCulture);
        if (value is Vector2) { var v = (Vector2)value; return List(v.x, v.y); }
        if (value is Vector3) { var v = (Vector3)value; return List(v.x, v.y, v.z); }
        if (value is Quaternion) { var q = (Quaternion)value; return List(q.x, q.y, q.z, q.w); }
        if (value is Color) { var c = (Color)value; return List(c.r, c.g, c.b, c.a); }
        if (value is IDictionary)
        {
            var map = (IDictionary)value;
            return "{" + string.Join(",", map.Keys.Cast<object>().Select(key => Quoted("" + key) + ":" + Text(map[key])).ToArray()) + "}";
        }
        if (value is IEnumerable) return "[" + string.Join(",", ((IEnumerable)value).Cast<object>().Select(Text).ToArray()) + "]";
        return Members(value);
    }

    /// Public fields of a class, public properties of an anonymous one.
    static string Members(object value)
    {
        const BindingFlags which = BindingFlags.Public | BindingFlags.Instance;
        var fields = value.GetType().GetFields(which).Select(f => Quoted(f.Name) + ":" + Text(f.GetValue(value)));
        var properties = value.GetType().GetProperties(which).Select(p => Quoted(p.Name) + ":" + Text(p.GetValue(value, null)));
        return "{" + string.Join(",", fields.Concat(properties).ToArray()) + "}";
    }

    static string List(params float[] numbers) { return "[" + string.Join(",", numbers.Select(n => Number(n)).ToArray()) + "]"; }

    static string Number(double value)
    {
        if (double.IsNaN(value)) return "NaN";
        if (double.IsInfinity(value)) return value > 0 ? "Infinity" : "-Infinity";
        return value.ToString("R", CultureInfo.InvariantCulture);
    }

    static string Quoted(string text)
    {
        var built = new StringBuilder("\"");
        foreach (char c in text)
            if (c == '"' || c == '\\') built.Append('\\').Append(c);
            else if (c < ' ') built.AppendFormat("\\u{0:x4}", (int)c);
            else built.Append(c);
        return built.Append('"').ToString();
    }
}
