using System;
using System.Collections.Generic;
using System.IO;
using System.Text;
using UnityEngine;

namespace OpenSee
{
    /// <summary>
    /// Tells which of the expressions that it was taught a face makes. Expressions are recorded and trained here, or come
    /// in a file from the tracker (`--expressions`), which reads what is saved here as well.
    /// </summary>
    [AddComponentMenu("OpenSeeFace/OpenSeeExpression")]
    public class OpenSeeExpression : MonoBehaviour
    {
        [Header("Whose face")]
        [Tooltip("Where faces come from. None: any OpenSee of the scene.")]
        public OpenSee openSee;
        [Tooltip("The face's number.")]
        public int faceId;
        [Tooltip("Optional: blend shapes that the tracker sends over VMC. What was trained with them tells more.")]
        public OpenSeeShapes shapes;

        [Header("File")]
        [Tooltip("Where expressions are kept, an .osfx file. A name without a folder is in Application.persistentDataPath.")]
        public string filename = "expressions.osfx";
        [Tooltip("Load the file at the start, if it is there.")]
        public bool loadOnStart = true;

        [Header("Recording")]
        [Tooltip("The expression that is recorded: 1 to 32 letters, digits, spaces, _ or -.")]
        public string calibrationExpression = "neutral";
        [Tooltip("Switched on, it records; after recordSeconds it goes off by itself.")]
        public bool recording;
        [Tooltip("How long a recording is. Hold the expression, then turn the head with it, then talk with it.")]
        public float recordSeconds = 20;
        [Tooltip("How much of recordSeconds there is, 0 to 100: of this recording; before and after it, of all of its name.")]
        public float percentRecorded;

        [Header("Answer")]
        [Tooltip("Less sure than this, the answer is none.")]
        [Range(0, 1)]
        public float threshold = 0.4f;
        [Tooltip("So many frames running must tell another expression before it is shown.")]
        [Min(1)]
        public int frames = 2;
        [Tooltip("The expression of the face; \"none\" for none of them and without a face.")]
        public string expression = ExpressionCollection.None;
        [Tooltip("How likely each expression is, in the order of expressionNames.")]
        public float[] probabilities = new float[0];
        [Tooltip("The expressions that can be told.")]
        public string[] expressionNames = new string[0];

        [Header("Training")]
        [Tooltip("Whether it is being trained.")]
        public bool training;
        [Tooltip("How far that is, 0 to 100.")]
        public float percentTrained;
        [Tooltip("How often it is right, 0 to 1: the mean of all expressions, on recordings that were kept out of training.")]
        public float accuracy;
        [Tooltip("confusionMatrix as text: a row for each expression, and in it which share was told to be which.")]
        [TextArea]
        public string confusionMatrixText = "";

        /// <summary>
        /// Which share of the samples of an expression (first index) was told to be which (second), in the order of
        /// <see cref="expressionNames"/>, on recordings that were kept out of training. Empty for a file that was loaded.
        /// </summary>
        public float[,] confusionMatrix = new float[0, 0];

        readonly Stabiliser stabiliser = new Stabiliser();
        ExpressionCollection collection = new ExpressionCollection();
        ExpressionClassifier classifier;
        ExpressionRecorder recorder;
        TrainingThread trainer;
        Freshness freshness;
        float shapesMissingSince = float.NaN;
        bool complained;

        /// <summary>What was recorded and trained. To be changed only while nothing is recorded.</summary>
        public ExpressionCollection Collection { get { return collection; } }

        /// <summary>Begins to record <see cref="calibrationExpression"/>.</summary>
        public void StartRecording()
        {
            recording = true;
        }

        /// <summary>Ends a recording; what there is of it is kept.</summary>
        public void StopRecording()
        {
            recording = false;
            KeepRecording();
        }

        /// <summary>Forgets what was recorded of an expression.</summary>
        /// <returns>Whether there was anything.</returns>
        public bool ClearExpression(string name)
        {
            if (recorder != null && recorder.Name == name)
            {
                recorder = null;
                recording = false;
            }
            return collection.Expressions.RemoveAll(recorded => recorded.Name == name) > 0;
        }

        /// <summary>Begins to train with what is recorded, in a thread; <see cref="training"/> is true meanwhile.</summary>
        /// <returns>Whether there is enough to train with; if not, the log says what is lacking.</returns>
        [ContextMenu("Train")]
        public bool TrainModel()
        {
            StopRecording();
            if (trainer != null) trainer.Stop();
            trainer = null;
            bool begun = Try(() =>
            {
                ExpressionTrainer.Check(collection);
                trainer = new TrainingThread(collection);
            });
            training = begun;
            percentTrained = 0;
            return begun;
        }

        /// <summary>Reads <see cref="filename"/>.</summary>
        [ContextMenu("Load")]
        public void LoadFile() { LoadFromFile(filename); }

        /// <summary>Writes <see cref="filename"/>.</summary>
        [ContextMenu("Save")]
        public void SaveFile() { SaveToFile(filename); }

        /// <summary>Reads a file of expressions in place of those that are here.</summary>
        /// <returns>Whether it could be read; if not, the log says why, and all stays as it is.</returns>
        public bool LoadFromFile(string path)
        {
            return Try(() => Replace(ExpressionFile.Load(Whole(path)), path));
        }

        /// <summary>Reads expressions that were in a file, for instance a TextAsset's bytes.</summary>
        /// <param name="name">What to call it in messages.</param>
        public bool LoadFromBytes(byte[] bytes, string name)
        {
            return Try(() => Replace(ExpressionFile.FromBytes(bytes, name), name));
        }

        /// <summary>Writes recordings and what was trained into a file; an old one stays as it is if that fails.</summary>
        /// <returns>Whether it could be written; if not, the log says why.</returns>
        public bool SaveToFile(string path)
        {
            return Try(() => ExpressionFile.Save(collection, Whole(path)));
        }

        void Start()
        {
            if (!loadOnStart || string.IsNullOrEmpty(filename)) return;
            Try(() => { if (File.Exists(Whole(filename))) LoadFromFile(filename); });
        }

        void OnDisable()
        {
            StopRecording();
            Forget();
        }

        void OnDestroy()
        {
            if (trainer != null) trainer.Stop();
        }

        void Update()
        {
            TakeTrained();
            if (openSee == null) openSee = OpenSee.Any();
            if (!recording) KeepRecording();
            else if (recorder == null || recorder.Name != calibrationExpression) recording = BeginRecording();

            OpenSee.OpenSeeData face = openSee == null ? null : openSee.GetOpenSeeData(faceId);
            float now = Time.unscaledTime;
            if (freshness.IsNew(face, now) && face.got3DPoints && face.fit3DError <= openSee.maxFit3DError) TakeFace(face);
            else if (freshness.IsLost(now)) Forget();
            percentRecorded = PercentRecorded();
        }

        void TakeFace(OpenSee.OpenSeeData face)
        {
            float[] received = shapes == null ? null : shapes.GetArkitShapes();
            float[] columns = ExpressionColumns.Of(face, received);
            if (recorder != null)
            {
                recorder.Add(columns, face.time);
                if (recorder.Full || recorder.Seconds >= recordSeconds) StopRecording();
            }
            Use(collection.Classifier(received != null));
            if (classifier == null)
            {
                ComplainAboutShapes();
                return;
            }
            shapesMissingSince = float.NaN;
            double[] likely = classifier.Probabilities(columns);
            if (probabilities == null || probabilities.Length != likely.Length) probabilities = new float[likely.Length];
            for (int name = 0; name < likely.Length; name++) probabilities[name] = (float)likely[name];
            int best = ExpressionClassifier.Best(likely);
            int shown = stabiliser.Update(likely[best] >= threshold ? best : -1, Math.Max(1, frames));
            expression = shown < 0 ? ExpressionCollection.None : classifier.Names[shown];
        }

        /// <summary>Answers with another classifier from now on.</summary>
        void Use(ExpressionClassifier now)
        {
            if (now == classifier) return;
            classifier = now;
            expressionNames = now == null ? new string[0] : (string[])now.Names.Clone();
            probabilities = new float[expressionNames.Length];
            Forget();
        }

        /// <summary>There is no face any more.</summary>
        void Forget()
        {
            stabiliser.Reset();
            expression = ExpressionCollection.None;
            if (probabilities != null) Array.Clear(probabilities, 0, probabilities.Length);
        }

        /// <summary>All that was trained needs shapes that don't come.</summary>
        void ComplainAboutShapes()
        {
            if (complained || collection.Classifiers.Count == 0) return;
            if (float.IsNaN(shapesMissingSince)) shapesMissingSince = Time.unscaledTime;
            if (shapes != null && Time.unscaledTime - shapesMissingSince < 2) return;
            complained = true;
            Debug.LogWarning("These expressions were trained with blend shapes only, and none come: give OpenSeeExpression "
                + "an OpenSeeShapes and let the tracker send them (--send vmc), or train here.", this);
        }

        bool BeginRecording()
        {
            KeepRecording();
            return Try(() => recorder = new ExpressionRecorder(collection, calibrationExpression));
        }

        void KeepRecording()
        {
            if (recorder == null) return;
            ExpressionRecorder finished = recorder;
            recorder = null;
            Try(finished.Finish);
        }

        float PercentRecorded()
        {
            double seconds = recorder == null ? 0 : recorder.Seconds;
            RecordedExpression recorded = recorder == null ? collection.Find(calibrationExpression) : null;
            if (recorded != null)
                foreach (ExpressionRecording one in recorded.Recordings) seconds += one.Seconds;
            return Mathf.Clamp01((float)seconds / Math.Max(recordSeconds, 1e-3f)) * 100;
        }

        void TakeTrained()
        {
            if (trainer == null) return;
            percentTrained = trainer.Progress * 100;
            if (!trainer.Done) return;
            TrainingThread ended = trainer;
            trainer = null;
            training = false;
            if (ended.Failure != null) Debug.LogError(ended.Failure, this);
            if (ended.Trained == null) return;
            collection.Classifiers = ended.Trained.ConvertAll(one => one.Classifier);
            complained = false;
            ShowTrained(ended.Trained[0].Classifier, ended.Trained[0].Confusion);
            foreach (string warning in ended.Trained[0].Warnings()) Debug.LogWarning(warning, this);
        }

        void Replace(ExpressionCollection loaded, string name)
        {
            recorder = null;
            recording = false;
            if (trainer != null) trainer.Stop();
            trainer = null;
            training = complained = false;
            collection = loaded;
            if (loaded.Classifiers.Count > 0) ShowTrained(loaded.Classifiers[0], new float[0, 0]);
            Use(loaded.Classifier(false) ?? loaded.Classifier(true));
        }

        void ShowTrained(ExpressionClassifier trained, float[,] confusion)
        {
            double sum = 0;
            foreach (double one in trained.Accuracy) sum += one;
            accuracy = (float)(sum / trained.Accuracy.Length);
            confusionMatrix = confusion;
            var text = new StringBuilder();
            for (int row = 0; row < confusion.GetLength(0); row++)
            {
                text.Append(trained.Names[row]).Append(':');
                for (int told = 0; told < confusion.GetLength(1); told++)
                    if (confusion[row, told] > 0)
                        text.AppendFormat(" {0} {1:0.0} %", trained.Names[told], 100 * confusion[row, told]);
                text.Append('\n');
            }
            confusionMatrixText = text.ToString();
        }

        /// <summary>Whether it went well; if not, the log says why.</summary>
        bool Try(Action action)
        {
            try
            {
                action();
                return true;
            }
            catch (ExpressionException error)
            {
                Debug.LogError(error.Message, this);
                return false;
            }
        }

        static string Whole(string path)
        {
            try
            {
                return Path.Combine(Application.persistentDataPath, path ?? "");
            }
            catch (ArgumentException error)
            {
                throw new ExpressionException("'" + path + "' is no name of a file: " + error.Message);
            }
        }
    }
}
