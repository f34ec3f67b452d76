using System;
using System.Collections.Generic;
using System.Threading;

namespace OpenSee
{
    /// <summary>Trains in a thread of its own, and is asked from another whether it is done.</summary>
    internal sealed class TrainingThread
    {
        readonly ExpressionCollection collection;
        volatile List<TrainedExpressions> trained;
        volatile string failure;
        volatile float progress;
        volatile bool stopping, done;

        /// <summary>Begins at once.</summary>
        /// <param name="collection">Is copied, so that recording may go on.</param>
        public TrainingThread(ExpressionCollection collection)
        {
            this.collection = collection.Copy();
            new Thread(Run)
            {
                IsBackground = true,
                Priority = ThreadPriority.BelowNormal,
                Name = "OpenSee training",
            }.Start();
        }

        /// <summary>How far it is, 0 to 1.</summary>
        public float Progress { get { return progress; } }

        /// <summary>Whether it has ended, well or not.</summary>
        public bool Done { get { return done; } }

        /// <summary>What was trained; null if it failed or was stopped. To be asked once it is done.</summary>
        public List<TrainedExpressions> Trained { get { return trained; } }

        /// <summary>Why it failed; null if it did not.</summary>
        public string Failure { get { return failure; } }

        /// <summary>Lets it end soon, without a result.</summary>
        public void Stop()
        {
            stopping = true;
        }

        void Run()
        {
            try
            {
                trained = ExpressionTrainer.Train(collection, share => progress = share, () => stopping);
            }
            catch (OperationCanceledException)
            {
                // As it was told.
            }
            catch (ExpressionException error)
            {
                failure = error.Message;
            }
            catch (OutOfMemoryException)
            {
                failure = "There is too little memory to train with so much.";
            }
            finally
            {
                done = true;
            }
        }
    }
}
