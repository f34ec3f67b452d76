// Sets what the inspector would: `faceId=1`, `mirror=true`, `exePath=/somewhere`.
using System;
using System.Globalization;
using System.Reflection;

public static class Fields
{
    public static void Set(object component, string[] assignments)
    {
        foreach (string assignment in assignments)
        {
            string[] parts = assignment.Split(new[] { '=' }, 2);
            FieldInfo field = component.GetType().GetField(parts[0]);
            if (field == null) throw new ArgumentException(component.GetType() + " has no public field " + parts[0]);
            field.SetValue(component, Convert.ChangeType(parts[1], field.FieldType, CultureInfo.InvariantCulture));
        }
    }
}
