using System;
using System.Collections;
using System.Collections.Generic;
using System.Globalization;
using System.Text;

namespace OpenSee
{
    /// <summary>
    /// Reads and writes JSON (RFC 8259). Objects are Dictionary&lt;string, object&gt;, arrays List&lt;object&gt;, numbers
    /// double, the rest string, bool and null.
    /// </summary>
    public static class Json
    {
        private const int Deepest = 32;

        /// <summary>What a text says.</summary>
        /// <exception cref="FormatException">It is no JSON, or nested deeper than 32; says where.</exception>
        public static object Parse(string text)
        {
            var parser = new Parser(text);
            object value = parser.Value(0);
            parser.End();
            return value;
        }

        /// <summary>The text of a value of the kinds above; numbers may also be int.</summary>
        public static string Write(object value)
        {
            var text = new StringBuilder();
            Append(text, value);
            return text.ToString();
        }

        private static void Append(StringBuilder text, object value)
        {
            if (value == null)
                text.Append("null");
            else if (value is bool)
                text.Append((bool)value ? "true" : "false");
            else if (value is string)
                AppendString(text, (string)value);
            else if (value is int)
                text.Append(((int)value).ToString(CultureInfo.InvariantCulture));
            else if (value is double && !double.IsNaN((double)value) && !double.IsInfinity((double)value))
                text.Append(((double)value).ToString("R", CultureInfo.InvariantCulture));
            else if (value is IDictionary<string, object>)
                AppendObject(text, (IDictionary<string, object>)value);
            else if (value is IEnumerable)
                AppendArray(text, (IEnumerable)value);
            else
                throw new ArgumentException("JSON has no " + value.GetType().Name + " like " + value);
        }

        private static void AppendObject(StringBuilder text, IDictionary<string, object> members)
        {
            string before = "{";
            foreach (KeyValuePair<string, object> member in members)
            {
                text.Append(before);
                AppendString(text, member.Key);
                text.Append(": ");
                Append(text, member.Value);
                before = ", ";
            }
            text.Append(members.Count == 0 ? "{}" : "}");
        }

        private static void AppendArray(StringBuilder text, IEnumerable items)
        {
            string before = "";
            text.Append('[');
            foreach (object item in items)
            {
                text.Append(before);
                Append(text, item);
                before = ", ";
            }
            text.Append(']');
        }

        private static void AppendString(StringBuilder text, string value)
        {
            text.Append('"');
            foreach (char letter in value)
            {
                if (letter == '"' || letter == '\\')
                    text.Append('\\').Append(letter);
                else if (letter < ' ' || letter > '~')
                    text.Append("\\u").Append(((int)letter).ToString("x4", CultureInfo.InvariantCulture));
                else
                    text.Append(letter);
            }
            text.Append('"');
        }

        private sealed class Parser
        {
            private readonly string text;
            private int at;

            public Parser(string text)
            {
                this.text = text;
            }

            public object Value(int depth)
            {
                if (depth > Deepest)
                    throw Wrong("is nested too deep");
                switch (Next())
                {
                    case '{':
                        return Object(depth);
                    case '[':
                        return Array(depth);
                    case '"':
                        return String();
                    case 't':
                        return Word("true", true);
                    case 'f':
                        return Word("false", false);
                    case 'n':
                        return Word("null", null);
                    default:
                        return Number();
                }
            }

            public void End()
            {
                SkipSpace();
                if (at < text.Length)
                    throw Wrong("goes on after its end");
            }

            private object Object(int depth)
            {
                var members = new Dictionary<string, object>(StringComparer.Ordinal);
                at++;
                if (Next() == '}')
                {
                    at++;
                    return members;
                }
                while (true)
                {
                    if (Next() != '"')
                        throw Wrong("lacks a name");
                    string name = String();
                    if (Next() != ':')
                        throw Wrong("lacks a colon");
                    at++;
                    members[name] = Value(depth + 1);
                    if (AtEnd('}'))
                        return members;
                }
            }

            private object Array(int depth)
            {
                var items = new List<object>();
                at++;
                if (Next() == ']')
                {
                    at++;
                    return items;
                }
                do
                    items.Add(Value(depth + 1));
                while (!AtEnd(']'));
                return items;
            }

            /// <summary>Behind a member or item: takes the comma, or the bracket that ends it all.</summary>
            private bool AtEnd(char bracket)
            {
                char next = Next();
                if (next != ',' && next != bracket)
                    throw Wrong("lacks a comma or " + bracket);
                at++;
                return next == bracket;
            }

            private string String()
            {
                int start = ++at;
                at = text.IndexOfAny(QuoteOrBackslash, start);
                if (at < 0)
                {
                    at = text.Length;
                    throw Wrong("ends within a string");
                }
                string begun = text.Substring(start, at - start);
                CheckPlain(begun);
                if (text[at] == '"')
                {
                    at++;
                    return begun;
                }
                var value = new StringBuilder(begun);
                while (text[at] != '"')
                {
                    if (text[at] == '\\')
                        value.Append(Escaped());
                    else if (text[at] < ' ')
                        throw Wrong("has a control character within a string");
                    else
                        value.Append(text[at++]);
                    if (at >= text.Length)
                        throw Wrong("ends within a string");
                }
                at++;
                return value.ToString();
            }

            private void CheckPlain(string begun)
            {
                foreach (char letter in begun)
                    if (letter < ' ')
                        throw Wrong("has a control character within a string");
            }

            private char Escaped()
            {
                char kind = at + 1 < text.Length ? text[at + 1] : ' ';
                int meant = "\"\\/bfnrt".IndexOf(kind);
                if (meant >= 0)
                {
                    at += 2;
                    return "\"\\/\b\f\n\r\t"[meant];
                }
                if (kind != 'u' || at + 6 > text.Length || !ushort.TryParse(text.Substring(at + 2, 4),
                        NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ushort code))
                    throw Wrong("has a backslash that means nothing");
                at += 6;
                return (char)code;
            }

            private object Word(string word, object value)
            {
                if (string.CompareOrdinal(text, at, word, 0, word.Length) != 0)
                    throw Wrong("has an unknown word");
                at += word.Length;
                return value;
            }

            private object Number()
            {
                int start = at;
                while (at < text.Length && "+-.eE0123456789".IndexOf(text[at]) >= 0)
                    at++;
                const NumberStyles style = NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint
                    | NumberStyles.AllowExponent;
                string digits = text.Substring(start, at - start);
                if (digits.Length > 0 && digits[0] != '+' && double.TryParse(digits, style,
                        CultureInfo.InvariantCulture, out double number) && !double.IsInfinity(number))
                    return number;
                at = start;
                throw Wrong("has something that is no value");
            }

            /// <summary>The next character that is no space; '\0' at the end.</summary>
            private char Next()
            {
                SkipSpace();
                return at < text.Length ? text[at] : '\0';
            }

            private void SkipSpace()
            {
                while (at < text.Length && " \t\r\n".IndexOf(text[at]) >= 0)
                    at++;
            }

            private FormatException Wrong(string what)
            {
                return new FormatException("the JSON " + what + ", at character " + (at + 1));
            }

            private static readonly char[] QuoteOrBackslash = { '"', '\\' };
        }
    }
}
