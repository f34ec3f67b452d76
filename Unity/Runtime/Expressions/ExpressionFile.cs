using System;
using System.Collections.Generic;
using System.IO;
using System.Text;

namespace OpenSee
{
    /// <summary>
    /// Reads and writes files of expressions (.osfx), which the tracker shares: JSON with arrays of numbers in base64;
    /// docs/expressions.md of the tracker describes them.
    /// </summary>
    public static class ExpressionFile
    {
        private const string Format = "OpenSeeFace expressions";
        private const int Version = 1;
        private const long MostBytes = 64L << 20;

        /// <summary>Reads a file.</summary>
        /// <exception cref="ExpressionException">It can't be read, is another's, damaged or of a later version.</exception>
        public static ExpressionCollection Load(string path)
        {
            try
            {
                if (new FileInfo(path).Length > MostBytes)
                    throw new ExpressionException(path + " is larger than a file of expressions can be.");
                return FromBytes(File.ReadAllBytes(path), path);
            }
            catch (Exception error) when (IsAboutFiles(error))
            {
                throw new ExpressionException(path + " can't be read: " + error.Message);
            }
        }

        /// <summary>Reads what is in a file.</summary>
        /// <param name="name">What to call it in messages.</param>
        /// <exception cref="ExpressionException">It is another's, damaged or of a later version.</exception>
        public static ExpressionCollection FromBytes(byte[] bytes, string name)
        {
            Dictionary<string, object> stored;
            try
            {
                stored = Json.Parse(new UTF8Encoding(false, true).GetString(bytes)) as Dictionary<string, object>;
            }
            catch (Exception error) when (error is FormatException || error is ArgumentException)
            {
                throw new ExpressionException(name + " is no file of expressions: " + error.Message);
            }
            object format = null, version = null;
            if (stored == null || !stored.TryGetValue("format", out format) || !Format.Equals(format))
                throw new ExpressionException(name + " is no file of expressions.");
            if (!stored.TryGetValue("version", out version) || !((double)Version).Equals(version))
                throw new ExpressionException(name + " has version " + Json.Write(version) + "; this program knows "
                    + Version + ".");
            try
            {
                return ExpressionJson.Collection(stored);
            }
            catch (FormatException error)
            {
                throw new ExpressionException(name + " is damaged: " + error.Message);
            }
        }

        /// <summary>Writes a file in place of an old one, which stays as it is if that fails.</summary>
        /// <exception cref="ExpressionException">It can't be written.</exception>
        public static void Save(ExpressionCollection collection, string path)
        {
            byte[] bytes = ToBytes(collection);
            string unfinished = path + ".part";
            try
            {
                using (var file = new FileStream(unfinished, FileMode.Create, FileAccess.Write))
                {
                    file.Write(bytes, 0, bytes.Length);
                    file.Flush(true);
                }
                if (File.Exists(path))
                    File.Replace(unfinished, path, null);
                else
                    File.Move(unfinished, path);
            }
            catch (Exception error) when (IsAboutFiles(error))
            {
                Remove(unfinished);
                throw new ExpressionException(path + " can't be written: " + error.Message);
            }
        }

        /// <summary>What <see cref="Save"/> writes.</summary>
        public static byte[] ToBytes(ExpressionCollection collection)
        {
            Dictionary<string, object> stored = ExpressionJson.Stored(collection);
            stored["format"] = Format;
            stored["version"] = Version;
            return Encoding.UTF8.GetBytes(Json.Write(stored) + "\n");
        }

        private static void Remove(string unfinished)
        {
            try
            {
                File.Delete(unfinished);
            }
            catch (Exception error) when (IsAboutFiles(error))
            {
                // The message is about why it could not be written.
            }
        }

        private static bool IsAboutFiles(Exception error)
        {
            return error is IOException || error is UnauthorizedAccessException || error is NotSupportedException
                || error is ArgumentException || error is System.Security.SecurityException;
        }
    }
}
